//! Markdown of the company's side as HTML that a chat window may show: made here, cleaned here, once for every client.
//!
//! Only words that need it get HTML. What people or models write as HTML stays text, images become their words, and a
//! link leads to http, https or mailto or is none.

use std::sync::LazyLock;

use ammonia::Builder;
use linkify::{LinkFinder, LinkKind};
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// Where more is written than this, it stays text: nobody formats so much for a chat.
const MOST: usize = 16_384;
/// The deepest that lists and quotes may stand in each other.
const DEEPEST: usize = 16;
/// The longest address that is made a link.
const LONGEST_ADDRESS: usize = 2_048;

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = Builder::empty();
    cleaner
        .add_tags(["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "a"])
        .add_tag_attributes("a", ["href"])
        .add_tag_attributes("ol", ["start"])
        .add_url_schemes(["http", "https", "mailto"])
        .url_relative(ammonia::UrlRelative::Deny)
        .set_tag_attribute_value("a", "target", "_blank")
        .link_rel(Some("noopener noreferrer"));
    cleaner
});

static FINDER: LazyLock<LinkFinder> = LazyLock::new(|| {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    finder
});

/// The words as HTML, clean; none where plain text says the same.
pub fn html(text: &str) -> Option<String> {
    if text.len() > MOST {
        return None;
    }
    let mut rich = false;
    let events = chat_events(text, &mut rich);
    if !rich || depth(&events) > DEEPEST {
        return None;
    }
    let mut form = String::with_capacity(text.len().saturating_mul(2));
    html::push_html(&mut form, events.into_iter());
    Some(CLEANER.clean(form.trim_end()).to_string())
}

/// The text read as Markdown, changed where a chat differs from a page; says whether anything but words was found.
fn chat_events<'a>(text: &'a str, rich: &mut bool) -> Vec<Event<'a>> {
    let mut out = Vec::new();
    let mut outside_of_links = true;
    // Of each link that is open, whether it is shown as one.
    let mut links = Vec::new();
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(words) if outside_of_links => *rich |= push_words(words, &mut out),
            Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) => out.push(Event::Text(words)),
            // In a chat a new line is a new line.
            Event::SoftBreak => out.push(Event::HardBreak),
            Event::Start(Tag::Paragraph) if !out.is_empty() => {
                *rich = true;
                out.push(Event::Start(Tag::Paragraph));
            }
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => out.push(event),
            // A block of HTML is a paragraph of what was written.
            Event::Start(Tag::HtmlBlock) => out.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => out.push(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Heading { .. }) => {
                *rich = true;
                out.extend([Event::Start(Tag::Paragraph), Event::Start(Tag::Strong)]);
            }
            Event::End(TagEnd::Heading(_)) => {
                out.extend([Event::End(TagEnd::Strong), Event::End(TagEnd::Paragraph)]);
            }
            // Nothing is loaded from elsewhere: an image is the words that stand for it.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => *rich = true,
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                *rich = true;
                outside_of_links = false;
                let shown = link_type == LinkType::Email || address(&dest_url);
                links.push(shown);
                if shown {
                    out.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if links.pop() == Some(true) {
                    out.push(event);
                }
                outside_of_links = links.is_empty();
            }
            other => {
                *rich = true;
                out.push(other);
            }
        }
    }
    out
}

fn depth(events: &[Event<'_>]) -> usize {
    let mut now: usize = 0;
    let depths = events.iter().map(|event| {
        match event {
            Event::Start(_) => now = now.saturating_add(1),
            Event::End(_) => now = now.saturating_sub(1),
            _ => {}
        }
        now
    });
    depths.max().unwrap_or(0)
}

/// Words in which a bare address becomes a link; true where there was one.
fn push_words<'a>(words: CowStr<'a>, out: &mut Vec<Event<'a>>) -> bool {
    let mut found = false;
    let whole = words.to_string();
    for span in FINDER.spans(&whole) {
        let part = CowStr::from(span.as_str().to_owned());
        if span.kind().is_some() && address(span.as_str()) {
            found = true;
            let link = Tag::Link {
                link_type: LinkType::Autolink,
                dest_url: part.clone(),
                title: CowStr::from(""),
                id: CowStr::from(""),
            };
            out.extend([Event::Start(link), Event::Text(part), Event::End(TagEnd::Link)]);
        } else {
            out.push(Event::Text(part));
        }
    }
    found
}

/// Whether a link may lead there. A user name before the host is how an address pretends to be another one.
fn address(url: &str) -> bool {
    url.len() <= LONGEST_ADDRESS
        && url::Url::parse(url).is_ok_and(|url| match url.scheme() {
            "http" | "https" => url.has_host() && url.username().is_empty() && url.password().is_none(),
            "mailto" => true,
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_need_no_html() {
        for plain in [
            "Your card was declined.",
            "Order #1042 costs 59.90 & ships on 3 May",
            "one\ntwo",
            "1 < 2",
            "snake_case_name",
            "",
        ] {
            assert_eq!(html(plain), None, "{plain}");
        }
        assert_eq!(html(&"**a** ".repeat(4_000)), None, "too long to be formatted");
    }

    #[test]
    fn markdown_of_a_chat_is_shown() {
        assert_eq!(html("It is **paid**.").as_deref(), Some("<p>It is <strong>paid</strong>.</p>"));
        assert_eq!(
            html("# Two ways\n1. wait\n2. `refund`").as_deref(),
            Some("<p><strong>Two ways</strong></p>\n<ol>\n<li>wait</li>\n<li><code>refund</code></li>\n</ol>")
        );
        assert_eq!(html("one\ntwo *three*").as_deref(), Some("<p>one<br>\ntwo <em>three</em></p>"));
        assert_eq!(html("one\n\ntwo").as_deref(), Some("<p>one</p>\n<p>two</p>"));
    }

    #[test]
    fn a_link_is_safe_or_none() {
        let link =
            r#"<p><a href="https://shop.example/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">here</a></p>"#;
        assert_eq!(html("[here](https://shop.example/a?b=1&c=2)").as_deref(), Some(link));
        let bare = html("See https://shop.example/orders/1042.").unwrap();
        assert_eq!(
            bare,
            r#"<p>See <a href="https://shop.example/orders/1042" target="_blank" rel="noopener noreferrer">https://shop.example/orders/1042</a>.</p>"#
        );
        for bad in [
            "[x](javascript:alert(1))",
            "[x](data:text/html,hi)",
            "[x](//evil.example)",
            "[x](/relative)",
            "[x](https://bank.example@evil.example/)",
            "<javascript:alert(1)>",
            "[x](JaVaScRiPt:alert(1))",
            "[x](&#106;avascript:alert(1))",
        ] {
            let form = html(bad).unwrap_or_default();
            assert!(!form.contains("href"), "{bad}: {form}");
        }
    }

    #[test]
    fn html_that_was_written_stays_words_and_images_are_not_loaded() {
        for bad in [
            "<img src=x onerror=alert(1)> **b**",
            "**b** <script>alert(1)</script>",
            "<svg onload=alert(1)>\n\n**b**",
            "**b** ![words](https://evil.example/x.png)",
            "<b onclick=x>**b**</b>",
            "<style>*{display:none}</style>\n\n*b*",
        ] {
            let form = html(bad).unwrap();
            for tag in ["<img", "<script", "<svg", "<style", "<b ", "onclick=\"", "src="] {
                assert!(!form.contains(tag) || tag == "src=" && form.contains("&lt;img src="), "{bad}: {form}");
            }
        }
        assert_eq!(html("![words](https://evil.example/x.png)").as_deref(), Some("<p>words</p>"));
        assert_eq!(html("<b>bold</b>"), None, "written HTML alone is plain text");
    }

    #[test]
    fn what_is_endless_stays_text() {
        assert_eq!(html(&format!("**a{}**", "\u{301}".repeat(10_000))), None);
        assert_eq!(html(&"[".repeat(16_000)), None);
        assert_eq!(html(&format!("{}a", "> ".repeat(8_000))), None, "nobody quotes so deep");
        assert!(html(&format!("{}a", "> ".repeat(4))).is_some());
    }
}
