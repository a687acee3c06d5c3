//! The thin binary: parse, telemetry, config, run, exit code.

fn main() {}
