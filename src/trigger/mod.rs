//! Which events open what: conditions, keys, limits. Pure.
//!
//! Not here: how an opening is prepared and said (`dialogue::opening`).

pub mod judge;
