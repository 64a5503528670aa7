//! Lines that are asked for before they are needed.

/// Asks for the line at an address, to write to it soon: by then it has come from the core that used it last.
///
/// A store to a line that another core has waits in the store buffer, and so do all stores behind it. The buffer has room
/// for a few messages, and then the writer stands still for as long as a line takes to come. The address may be any.
#[inline(always)]
pub fn for_writing(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch changes nothing and does not fault, whatever the address is; processors that do not know this one
    // ignore it.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
