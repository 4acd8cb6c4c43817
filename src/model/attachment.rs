//! Files that customers send: what is known of one. Its bytes are in the record and travel nowhere with a message.

use serde::{Deserialize, Serialize};

/// What an id begins with.
const PREFIX: &str = "att_";
/// Characters that follow, of base64url: 18 random bytes.
const LENGTH: usize = 24;

/// The id of an attachment. Made by chance where a file is taken, for no input stands behind it yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttachmentId(String);

impl AttachmentId {
    /// An id of these random bytes, as base64url without padding.
    pub fn of(random: &str) -> AttachmentId {
        AttachmentId(format!("{PREFIX}{random}"))
    }

    /// Reads an id; none for what never was one.
    pub fn parse(text: &str) -> Option<AttachmentId> {
        let random = text.strip_prefix(PREFIX)?;
        let plain = random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (random.len() == LENGTH && plain).then(|| AttachmentId(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a file is, by its first bytes. A closed list: nothing that a browser would run is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileType {
    /// A picture.
    #[serde(rename = "image/png")]
    Png,
    /// A picture.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// A picture.
    #[serde(rename = "image/gif")]
    Gif,
    /// A picture.
    #[serde(rename = "image/webp")]
    Webp,
    /// A document.
    #[serde(rename = "application/pdf")]
    Pdf,
}

impl FileType {
    /// All.
    pub const ALL: [FileType; 5] = [FileType::Png, FileType::Jpeg, FileType::Gif, FileType::Webp, FileType::Pdf];

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            FileType::Png => "image/png",
            FileType::Jpeg => "image/jpeg",
            FileType::Gif => "image/gif",
            FileType::Webp => "image/webp",
            FileType::Pdf => "application/pdf",
        }
    }

    /// Reads a media type; none for anything that is not on the list.
    pub fn parse(media_type: &str) -> Option<FileType> {
        FileType::ALL.into_iter().find(|known| known.media_type() == media_type)
    }

    /// Whether it is a picture that a page may show.
    pub fn is_picture(self) -> bool {
        self != FileType::Pdf
    }
}

/// What is known of a file that a customer sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Its name as the customer's device had it: a stranger's words.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// Its size in bytes.
    pub size: u64,
    /// How wide it is in pixels, where it is a picture that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// How high it is in pixels, where it is a picture that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// In a line: its name, what it is, how large it is.
impl std::fmt::Display for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {}", self.name, self.kind.media_type(), size_in_words(self.size))
    }
}

/// A size as people read it.
pub fn size_in_words(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..999_500 => format!("{} kB", (bytes + 500) / 1_000),
        _ => {
            let tenths = (bytes + 50_000) / 100_000;
            format!("{}.{} MB", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let sizes = [0, 999, 1_000, 12_345, 999_499, 999_500, 5_242_880].map(size_in_words);
        assert_eq!(sizes, ["0 B", "999 B", "1 kB", "12 kB", "999 kB", "1.0 MB", "5.2 MB"]);
    }

    #[test]
    fn an_id_is_a_prefix_and_24_plain_characters() {
        let id = AttachmentId::of("abcdefghijklmnop-_012345");
        assert_eq!(AttachmentId::parse(id.as_str()), Some(id));
        for none in ["", "att_", "att_short", "abcdefghijklmnop-_012345", "att_abcdefghijklmnop-_01234/"] {
            assert_eq!(AttachmentId::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_type_is_written_as_its_media_type() {
        for kind in FileType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.media_type());
            assert_eq!(FileType::parse(kind.media_type()), Some(kind));
        }
        for none in ["image/svg+xml", "text/html", "image/*", ""] {
            assert_eq!(FileType::parse(none), None, "{none}");
        }
    }
}
