//! The example companies, played as `beckon demo` plays them: the company's own server on one side, Beckon on the other,
//! and between them only HTTP, a signed token and the socket of a page. What a visitor presses leads to an opening, words
//! to a call, a confirmation to a write, and the company's event to the outcome.

mod doors;
mod plays;
mod stage;
