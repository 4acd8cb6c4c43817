//! What `beckon check` finds beyond mistakes: what nobody sends, what can never hold, what always loses.

mod recorded;
