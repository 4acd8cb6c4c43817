//! The picture: from links to the places of boxes and ribbons. Pure arithmetic; the template writes the SVG.

use std::collections::BTreeMap;

use serde::Serialize;

use super::links::{COLUMNS, Link};
use crate::http::dashboard::words;

/// Where the boxes of each column begin.
const X: [f64; 6] = [16.0, 216.0, 424.0, 640.0, 836.0, 1036.0];
/// Width of a box.
const BOX: f64 = 10.0;
/// Where the boxes begin, below the headings.
const TOP: f64 = 44.0;
/// What the largest column fills.
const HEIGHT: f64 = 380.0;
/// Between two boxes.
const GAP: f64 = 12.0;
/// The room that two lines of a label need, however small their box.
const LABEL: f64 = 34.0;
/// The thinnest that can be seen.
const THIN: f64 = 1.5;

/// All that is drawn.
#[derive(Debug, Default, Serialize)]
pub(super) struct Picture {
    height: String,
    columns: Vec<Heading>,
    nodes: Vec<Node>,
    ribbons: Vec<Ribbon>,
}

#[derive(Debug, Serialize)]
struct Heading {
    x: String,
    text: &'static str,
}

#[derive(Debug, Serialize)]
struct Node {
    x: String,
    y: String,
    height: String,
    label_x: String,
    label_y: String,
    count_y: String,
    name: String,
    count: String,
}

#[derive(Debug, Serialize)]
struct Ribbon {
    d: String,
    mark: &'static str,
    title: String,
    href: String,
}

/// A box while it is laid out.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    count_in: u64,
    count_out: u64,
    y: f64,
    used_in: f64,
    used_out: f64,
}

impl Place {
    fn count(self) -> u64 {
        self.count_in.max(self.count_out)
    }
}

/// Draws links.
pub(super) fn draw(links: &[Link]) -> Picture {
    let mut columns: Vec<BTreeMap<&str, Place>> = vec![BTreeMap::new(); COLUMNS.len()];
    for link in links {
        if let Some(column) = columns.get_mut(link.stage) {
            column.entry(&link.from).or_default().count_out += link.count;
        }
        if let Some(column) = columns.get_mut(link.stage + 1) {
            column.entry(&link.to).or_default().count_in += link.count;
        }
    }
    let scale = columns.iter().map(scale).fold(f64::INFINITY, f64::min);
    if !scale.is_finite() {
        return Picture::default();
    }
    let mut picture = Picture::default();
    let mut bottom = TOP;
    for ((column, x), text) in columns.iter_mut().zip(X).zip(COLUMNS) {
        picture.columns.push(Heading { x: short(x), text });
        let mut order: Vec<(&str, u64)> = column.iter().map(|(name, place)| (*name, place.count())).collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let mut y = TOP;
        for (name, count) in order {
            let Some(place) = column.get_mut(name) else { continue };
            place.y = y;
            let height = (number(count) * scale).max(THIN);
            picture.nodes.push(Node {
                x: short(x),
                y: short(y),
                height: short(height),
                label_x: short(x + BOX + 7.0),
                label_y: short(y + 12.0),
                count_y: short(y + 26.0),
                name: shortened(name),
                count: words::number(count),
            });
            y += height.max(LABEL) + GAP;
        }
        bottom = bottom.max(y);
    }
    // Ribbons leave and enter in the order of their other ends: fewer cross.
    let place = |column: usize, name: &str| columns.get(column).and_then(|c| c.get(name)).map_or(0.0, |place| place.y);
    let mut order: Vec<(f64, f64, &Link)> =
        links.iter().map(|link| (place(link.stage, &link.from), place(link.stage + 1, &link.to), link)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for (_, _, link) in order {
        picture.ribbons.extend(ribbon(link, &mut columns, scale));
    }
    picture.height = short(bottom);
    picture
}

/// How high one event is, where this column fills the picture.
fn scale(column: &BTreeMap<&str, Place>) -> f64 {
    let total: u64 = column.values().map(|place| place.count()).sum();
    if total == 0 {
        return f64::INFINITY;
    }
    let gaps = f64::from(u32::try_from(column.len().saturating_sub(1)).unwrap_or(u32::MAX)) * GAP;
    (HEIGHT - gaps).max(HEIGHT / 4.0) / number(total)
}

fn ribbon(link: &Link, columns: &mut [BTreeMap<&str, Place>], scale: f64) -> Option<Ribbon> {
    let thick = (number(link.count) * scale).max(THIN);
    let from = columns.get_mut(link.stage)?.get_mut(link.from.as_str())?;
    let y1 = from.y + from.used_out;
    from.used_out += thick;
    let to = columns.get_mut(link.stage + 1)?.get_mut(link.to.as_str())?;
    let y2 = to.y + to.used_in;
    to.used_in += thick;
    let (x1, x2) = (X.get(link.stage)? + BOX, *X.get(link.stage + 1)?);
    let mid = f64::midpoint(x1, x2);
    let d = format!(
        "M{x1:.1} {y1:.1}C{mid:.1} {y1:.1} {mid:.1} {y2:.1} {x2:.1} {y2:.1}V{:.1}C{mid:.1} {:.1} {mid:.1} {:.1} {x1:.1} {:.1}Z",
        y2 + thick,
        y2 + thick,
        y1 + thick,
        y1 + thick,
    );
    let title = format!("{} to {}: {}", words::plain(&link.from), words::plain(&link.to), words::number(link.count));
    Some(Ribbon { d, mark: link.mark, title, href: link.href() })
}

/// Counts above four thousand million are drawn as that many.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn short(value: f64) -> String {
    format!("{value:.1}")
}

/// A name that fits between two columns; the table has it whole.
fn shortened(name: &str) -> String {
    let plain = words::plain(name);
    if plain.chars().count() <= 24 {
        return plain;
    }
    plain.chars().take(23).chain(['\u{2026}']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dashboard::flow::links;
    use crate::record::{Flow, FlowEvents, FlowRow};

    fn flow(counts: &[(&str, u64)]) -> Vec<Link> {
        let events = counts.iter().map(|(kind, count)| FlowEvents {
            source: "shop".to_owned(),
            kind: (*kind).to_owned(),
            count: *count,
        });
        let rows = counts.iter().map(|(kind, count)| FlowRow {
            kind: (*kind).to_owned(),
            judged: Some(("late".to_owned(), "not_matched".to_owned())),
            opened: None,
            goal: false,
            dead: false,
            count: *count,
        });
        links::of(&Flow { events: events.collect(), rows: rows.collect(), ..Flow::default() })
    }

    #[test]
    fn every_link_is_a_ribbon_that_names_its_number() {
        let links = flow(&[("a", 1_600), ("b", 4)]);
        let picture = draw(&links);
        assert_eq!(picture.ribbons.len(), links.len());
        assert!(picture.ribbons.iter().any(|ribbon| ribbon.title == "shop to a: 1,600"));
        let shop = picture.nodes.iter().find(|node| node.name == "shop").unwrap();
        assert_eq!(shop.count, "1,604");
    }

    #[test]
    fn a_small_box_has_room_for_its_label() {
        let picture = draw(&flow(&[("a", 100_000), ("b", 1), ("c", 1)]));
        let y = |name: &str| -> f64 { picture.nodes.iter().find(|node| node.name == name).unwrap().y.parse().unwrap() };
        assert!(y("c") - y("b") >= LABEL, "{} {}", y("b"), y("c"));
        assert!(picture.height.parse::<f64>().unwrap() >= y("c") + LABEL);
    }

    #[test]
    fn nothing_draws_nothing() {
        assert_eq!(draw(&[]).ribbons.len(), 0);
    }
}
