//! What is wrong in a workspace, and where: file, line, column, the line itself with a caret, and what was perhaps meant.

use std::fmt;

/// The most mistakes of one run; who has more reads the first ones.
const MAX_MISTAKES: usize = 500;

/// The longest piece of a line that is shown, in characters.
const MAX_LINE: usize = 160;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as a path in the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The line as written; empty where the whole file is meant.
    pub line_text: String,
    /// How many characters of the line are meant; at least 1.
    pub length: usize,
    /// What was perhaps meant.
    pub suggestion: Option<String>,
}

impl Mistake {
    /// A mistake that is about a whole file or folder.
    pub fn whole(file: &str, message: impl Into<String>) -> Mistake {
        Mistake {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message: message.into(),
            line_text: String::new(),
            length: 1,
            suggestion: None,
        }
    }

    /// A mistake at a piece of a file's text.
    pub fn at(file: &str, text: &str, spot: Spot, message: impl Into<String>) -> Mistake {
        let start = floor(text, spot.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let line_text = rest.lines().next().unwrap_or_default();
        let column = text.get(line_start..start).unwrap_or_default().chars().count();
        let end = floor(text, spot.end.max(start)).min(line_start + line_text.len());
        let length = text.get(start..end.max(start)).unwrap_or_default().chars().count();
        Mistake {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: column + 1,
            message: message.into(),
            line_text: line_text.to_owned(),
            length: length.max(1),
            suggestion: None,
        }
    }

    /// The same with what was perhaps meant.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<String>) -> Mistake {
        self.suggestion = suggestion;
        self
    }
}

/// The largest place in `text` that is not above `at` and between two characters.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if !self.line_text.is_empty() {
            // Of a long line the piece around the caret is shown; what would move the caret becomes a space.
            let skip = if self.column > MAX_LINE { self.column - MAX_LINE / 2 } else { 0 };
            let shown: String = self
                .line_text
                .chars()
                .skip(skip)
                .take(MAX_LINE)
                .map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c })
                .collect();
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            let indent = " ".repeat((self.column - 1).saturating_sub(skip));
            let carets = "^".repeat(self.length.clamp(1, MAX_LINE));
            write!(f, "\n  {number} | {}\n  {margin} | {indent}{carets}", shown.trim_end())?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "\n  help: {suggestion}")?;
        }
        Ok(())
    }
}

/// Characters that turn text around or have no width: they would make a terminal show something else than is there.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// A piece of a file's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spot {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// A file that is being read.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its path in the workspace.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Mistakes as they are found.
#[derive(Debug, Default)]
pub struct Mistakes {
    list: Vec<Mistake>,
}

impl Mistakes {
    /// Notes a mistake.
    pub fn add(&mut self, mistake: Mistake) {
        if self.list.len() < MAX_MISTAKES && !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    /// Notes a mistake at a piece of a file.
    pub fn at(&mut self, file: File<'_>, spot: Spot, message: impl Into<String>) {
        self.add(Mistake::at(file.path, file.text, spot, message));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, by file and place; none: nothing was wrong.
    pub fn into_sorted(mut self) -> Vec<Mistake> {
        self.list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.list
    }
}

/// The nearest of some words to one that is not among them, if any is near, as a question.
pub fn did_you_mean<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, among).map(|found| format!("did you mean `{found}`?"))
}

/// The nearest of some words, if any is near.
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let limit = (length / 3).clamp(1, 3);
    among
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_shows_its_line_with_a_caret_and_what_was_meant() {
        let text = "playbook: a\nopen:\n  sya: \"Hallo, Grüße\"\n";
        let start = text.find("sya").unwrap();
        let mistake =
            Mistake::at("playbooks/a.yaml", text, Spot { start, end: start + 3 }, "there is no key `sya` here")
                .suggest(did_you_mean("sya", ["say", "why", "key"]));
        assert_eq!(
            mistake.to_string(),
            "playbooks/a.yaml:3:3: there is no key `sya` here\n  3 |   sya: \"Hallo, Grüße\"\n    |   ^^^\n  help: did you mean `say`?"
        );
        assert_eq!((mistake.line, mistake.column, mistake.length), (3, 3, 3));
    }

    #[test]
    fn columns_count_characters_and_places_outside_the_text_do_no_harm() {
        let text = "é: x\r\n";
        let mistake = Mistake::at("f", text, Spot { start: 4, end: 5 }, "m");
        assert_eq!((mistake.line, mistake.column, mistake.line_text.as_str()), (1, 4, "é: x"));
        let beyond = Mistake::at("f", text, Spot { start: 99, end: 7 }, "m");
        assert_eq!((beyond.line, beyond.column, beyond.length), (2, 1, 1));
        let split = Mistake::at("f", text, Spot { start: 1, end: 1 }, "m");
        assert_eq!(split.column, 1);
    }

    #[test]
    fn long_lines_and_invisible_characters_are_shown_safely() {
        let text = format!("{}x\u{202E}y", "a".repeat(1_000));
        let shown = Mistake::at("f", &text, Spot { start: 1_000, end: 1_001 }, "m").to_string();
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
        assert!(!shown.contains('\u{202E}'));
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[2].chars().position(|c| c == '^').unwrap();
        // The number before the bar has its own width in both lines.
        assert_eq!(lines[1].chars().nth(caret), Some('x'));
    }

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("whne", ["when", "within"]), Some("when"));
        assert_eq!(nearest("Within", ["when", "within"]), Some("within"));
        assert_eq!(nearest("completely", ["when", "within"]), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
