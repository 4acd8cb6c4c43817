//! What Northwind sells. Fixed: a shop that is only there to be tried needs no stock keeping, but for one thing that runs out.

use serde::Deserialize;

/// What a thing is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Outside, in weather.
    Outdoors,
    /// In the kitchen.
    Kitchen,
    /// On the way.
    Travel,
}

/// One thing on the shelf.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Its name in forms and addresses.
    pub slug: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// One line about it.
    pub note: &'static str,
    /// What it is good for.
    pub used: Use,
    /// Price in euro cents.
    pub cents: u32,
    /// Its picture: an SVG document drawn with the classes of the shop's own style sheet.
    pub drawing: &'static str,
}

/// The whole shelf, in the order of the front page.
pub const SHELF: [Product; 8] = [
    Product {
        slug: "storm-lantern",
        title: "Storm lantern",
        note: "Burns on in a gale. Brass and glass.",
        used: Use::Outdoors,
        cents: 8950,
        drawing: include_str!("../drawings/lantern.svg"),
    },
    Product {
        slug: "harbour-kettle",
        title: "Harbour kettle",
        note: "Enamelled steel, two litres, loud whistle.",
        used: Use::Kitchen,
        cents: 6400,
        drawing: include_str!("../drawings/kettle.svg"),
    },
    Product {
        slug: "deck-mug",
        title: "Deck mug",
        note: "Falls overboard without a chip.",
        used: Use::Kitchen,
        cents: 1800,
        drawing: include_str!("../drawings/mug.svg"),
    },
    Product {
        slug: "island-blanket",
        title: "Island blanket",
        note: "New wool, woven on the island of Texel.",
        used: Use::Travel,
        cents: 12000,
        drawing: include_str!("../drawings/blanket.svg"),
    },
    Product {
        slug: "brass-compass",
        title: "Brass compass",
        note: "Points north. That is all it does.",
        used: Use::Travel,
        cents: 4600,
        drawing: include_str!("../drawings/compass.svg"),
    },
    Product {
        slug: "fisher-beanie",
        title: "Fisher beanie",
        note: "Lambswool, knitted tight, covers both ears.",
        used: Use::Outdoors,
        cents: 2900,
        drawing: include_str!("../drawings/beanie.svg"),
    },
    Product {
        slug: "beach-kite",
        title: "Beach kite",
        note: "Flies from three knots of wind.",
        used: Use::Outdoors,
        cents: 5400,
        drawing: include_str!("../drawings/kite.svg"),
    },
    Product {
        slug: "canvas-duffel",
        title: "Canvas duffel",
        note: "Waxed canvas, forty litres, one long strap.",
        used: Use::Travel,
        cents: 14900,
        drawing: include_str!("../drawings/duffel.svg"),
    },
];

/// What runs out, and comes back when a visitor says so.
pub const SCARCE: &str = "brass-compass";

/// The product of this name, if the shop sells it.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Product> {
    SHELF.iter().find(|product| product.slug == slug)
}
