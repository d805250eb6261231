//! Hearing: which numbers of a row one listener has got, and which gaps are left in it. Knows
//! neither frames nor packets: the numbers may be either's.

/// What one listener has heard of one talker.
#[derive(Debug, Default)]
pub struct Hearing {
    /// One above the highest number heard.
    next: u32,
    /// Bit n: number `next - 1 - n` was heard.
    heard: u128,
    /// Below this nothing is judged: what stands here is the first number heard, and later on how
    /// far gaps were told.
    judged: u32,
    /// Numbers missing in a row just below `judged`.
    run: u32,
    mark: u32,
    is_begun: bool,
}

/// What is missing for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Numbers missing, single ones too.
    pub lost: u64,
    /// Two or more in a row.
    pub count: u64,
    pub longest: u32,
}

impl Hearing {
    /// Notes a number; false when it was heard before, or is too old to tell. Gaps that are so old
    /// that nothing fills them any more go to `gaps`.
    pub fn is_new(&mut self, number: u32, gaps: &mut Gaps) -> bool {
        if !self.is_begun {
            self.is_begun = true;
            self.judged = number;
        }
        if number < self.next {
            let age = self.next - 1 - number;
            let bit = 1_u128.checked_shl(age).unwrap_or(0);
            let is_new = bit != 0 && self.heard & bit == 0;
            self.heard |= bit;
            return is_new;
        }
        // What leaves the memory is judged before.
        let step = number - self.next + 1;
        if step > REMEMBERED - PATIENCE {
            self.judge(self.next, gaps);
            self.run += number.saturating_sub(self.judged);
            self.judged = self.judged.max(number);
        }
        self.heard = self.heard.checked_shl(step).unwrap_or(0) | 1;
        self.next = number + 1;
        self.judge(self.next.saturating_sub(PATIENCE), gaps);
        true
    }

    /// Marks how far it has heard, for [`Hearing::settle`].
    pub fn mark(&mut self) {
        self.mark = self.next;
    }

    /// Judges everything up to the mark: nothing more is expected there.
    pub fn settle(&mut self, gaps: &mut Gaps) {
        self.judge(self.mark, gaps);
        self.close_run(gaps);
    }

    fn judge(&mut self, to: u32, gaps: &mut Gaps) {
        while self.judged < to {
            let age = self.next - 1 - self.judged;
            if self.heard & 1_u128.checked_shl(age).unwrap_or(0) == 0 {
                self.run += 1;
            } else {
                self.close_run(gaps);
            }
            self.judged += 1;
        }
    }

    fn close_run(&mut self, gaps: &mut Gaps) {
        let run = std::mem::take(&mut self.run);
        gaps.lost += u64::from(run);
        if run >= 2 {
            gaps.count += 1;
            gaps.longest = gaps.longest.max(run);
        }
    }
}

/// Bits of the memory: 2.5 s of 20 ms frames.
const REMEMBERED: u32 = 128;

/// A number missing while so many later ones came does not come any more: 1.3 s of frames.
const PATIENCE: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps_of(numbers: &[u32]) -> Gaps {
        let (mut hearing, mut gaps) = (Hearing::default(), Gaps::default());
        for number in numbers {
            hearing.is_new(*number, &mut gaps);
        }
        hearing.mark();
        hearing.settle(&mut gaps);
        gaps
    }

    #[test]
    fn a_number_is_new_once_in_whatever_order_it_comes() {
        let mut hearing = Hearing::default();
        let mut gaps = Gaps::default();
        let new: Vec<bool> =
            [0, 2, 1, 1, 2, 0, 3].map(|seq| hearing.is_new(seq, &mut gaps)).to_vec();
        assert_eq!(new, [true, true, true, false, false, false, true]);
        hearing.mark();
        hearing.settle(&mut gaps);
        assert_eq!(gaps, Gaps::default());
    }

    #[test]
    fn a_number_older_than_the_memory_is_not_new() {
        let mut hearing = Hearing::default();
        let mut gaps = Gaps::default();
        assert!(hearing.is_new(500, &mut gaps));
        assert!(hearing.is_new(373, &mut gaps));
        assert!(!hearing.is_new(372, &mut gaps));
    }

    #[test]
    fn a_run_of_two_missing_is_a_gap_and_one_missing_is_not() {
        assert_eq!(gaps_of(&[10, 12, 13]), Gaps { lost: 1, count: 0, longest: 0 });
        assert_eq!(gaps_of(&[10, 13, 17]), Gaps { lost: 5, count: 2, longest: 3 });
        assert_eq!(gaps_of(&[10, 13, 11, 12]), Gaps::default());
    }

    #[test]
    fn nothing_is_missing_before_the_first_number() {
        assert_eq!(gaps_of(&[5_000, 5_001]), Gaps::default());
    }

    #[test]
    fn a_gap_longer_than_the_memory_is_counted_whole() {
        assert_eq!(gaps_of(&[0, 1, 1_002, 1_003]), Gaps { lost: 1_000, count: 1, longest: 1_000 });
        let long: Vec<u32> = (0..300).chain(400..800).collect();
        assert_eq!(gaps_of(&long), Gaps { lost: 100, count: 1, longest: 100 });
    }
}
