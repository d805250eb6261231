//! Memory asked for before it is used. A fan-out goes from leg to leg, each on lines of its own
//! that the kernel's sends have pushed out of the caches: waiting for them was an eighth of a
//! packet's time (benches/README.md).

/// Asks for all lines of a value. A hint: nothing is read.
#[inline]
pub(super) fn fetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let begin: *const i8 = std::ptr::from_ref(value).cast();
        for at in (0..size_of::<T>()).step_by(LINE_BYTES) {
            // SAFETY: the address lies within `value`; a prefetch reads nothing and never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(begin.add(at)) };
        }
    }
    // Elsewhere the standard library has no such hint.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;
