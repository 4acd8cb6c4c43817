//! The scripts, each named by the hash of its text: nodes of two builds run their own beside each other.

use redis::Script;

/// All of them.
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) append: Script,
    pub(super) commit: Script,
    pub(super) heartbeat: Script,
    pub(super) put_in_force: Script,
    pub(super) release: Script,
    pub(super) renew: Script,
    pub(super) start: Script,
    pub(super) take_dead: Script,
    pub(super) trim: Script,
    pub(super) trying: Script,
}

impl Scripts {
    pub(super) fn new() -> Scripts {
        Scripts {
            acquire: Script::new(include_str!("acquire.lua")),
            append: Script::new(include_str!("append.lua")),
            commit: Script::new(include_str!("commit.lua")),
            heartbeat: Script::new(include_str!("heartbeat.lua")),
            put_in_force: Script::new(include_str!("put_in_force.lua")),
            release: Script::new(include_str!("release.lua")),
            renew: Script::new(include_str!("renew.lua")),
            start: Script::new(include_str!("start.lua")),
            take_dead: Script::new(include_str!("take_dead.lua")),
            trim: Script::new(include_str!("trim.lua")),
            trying: Script::new(include_str!("trying.lua")),
        }
    }
}
