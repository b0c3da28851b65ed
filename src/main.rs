//! The program `batchtop`.

fn main() {}
