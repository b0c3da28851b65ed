#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| batchtop_fuzz::settings(bytes));
