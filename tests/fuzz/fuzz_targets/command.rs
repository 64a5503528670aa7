//! Hands what the fuzzer makes up to `ringmq_zmtp::fuzz::fuzz_command`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringmq_zmtp::fuzz::fuzz_command(data));
