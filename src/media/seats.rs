//! Numbered places: a leg sits on one from its opening to its close, so that a route is a number
//! and not a lookup.

/// A slab: places are reused, numbers stay small.
pub(super) struct Seats<T> {
    places: Vec<Option<Box<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Seats<T> {
    fn default() -> Self {
        Seats { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Seats<T> {
    /// Seats what `make` builds for its number.
    pub fn seat(&mut self, make: impl FnOnce(u32) -> T) -> u32 {
        let seat = self.free.pop().unwrap_or(self.places.len() as u32);
        let made = Some(Box::new(make(seat)));
        match self.places.get_mut(seat as usize) {
            Some(place) => *place = made,
            None => self.places.push(made),
        }
        seat
    }

    pub fn rise(&mut self, seat: u32) -> Option<Box<T>> {
        let taken = self.places.get_mut(seat as usize)?.take();
        if taken.is_some() {
            self.free.push(seat);
        }
        taken
    }

    pub fn at(&self, seat: u32) -> Option<&T> {
        self.places.get(seat as usize)?.as_deref()
    }

    pub fn at_mut(&mut self, seat: u32) -> Option<&mut T> {
        self.places.get_mut(seat as usize)?.as_deref_mut()
    }

    /// One more than the highest seat in use.
    pub fn width(&self) -> u32 {
        self.places.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_reused_and_its_number_stays_small() {
        let mut seats = Seats::default();
        let (anna, boris) = (seats.seat(|n| n + 100), seats.seat(|n| n + 100));
        assert_eq!((anna, boris, seats.at(boris)), (0, 1, Some(&101)));
        assert!(seats.rise(anna).is_some());
        assert!(seats.rise(anna).is_none());
        assert_eq!(seats.at(anna), None);
        assert_eq!(seats.seat(|_| 7), anna);
        assert_eq!(seats.width(), 2);
    }
}
