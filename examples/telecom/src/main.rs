//! Lumen alone, with its settings in the environment (see the README).

use std::process::ExitCode;

fn main() -> ExitCode {
    beckon_example_telecom::EXAMPLE.alone()
}
