//! The command `beckon`.

use std::process::ExitCode;

/// A fifth of the time under load was spent in the system's allocator (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    beckon::cli::main()
}
