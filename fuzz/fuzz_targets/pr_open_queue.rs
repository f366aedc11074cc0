//! Whatever stands in a review queue: pr-open folds it without falling over.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| pr_open::forge::fold_anything(file));
