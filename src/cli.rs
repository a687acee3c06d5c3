//! clap types only: exactly what the user typed.
