//! The OPERATING SYSTEM: processes, signals, terminals. `nix` and `libc` live only here.
