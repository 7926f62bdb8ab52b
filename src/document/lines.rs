//! Where the lines of a text begin, and so in which line and column a byte of it stands.

use crate::problem::Location;

/// A text and where its lines begin: a file of ten thousand values has as many places to be found.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    pub(super) text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let behind = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect() }
    }

    /// The place of the byte at `offset`. Past the end it is the end, inside a character it is that
    /// character.
    pub(super) fn at(&self, offset: usize) -> Location {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= end);
        let before = &self.text[self.starts[line - 1]..end];
        Location { line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_count_lines_and_characters_from_one() {
        let text = "a = 1\nkéy = \"ü\"\r\nlast";
        let cases = [
            ("the first byte", 0, (1, 1)),
            ("a line's end", 5, (1, 6)),
            ("the next line", 6, (2, 1)),
            ("behind a wide character", 9, (2, 3)),
            ("inside a wide character", 8, (2, 2)),
            ("behind a carriage return", text.len() - 4, (3, 1)),
            ("the end", text.len(), (3, 5)),
            ("past the end", 1_000, (3, 5)),
        ];
        for (name, offset, (line, column)) in cases {
            assert_eq!(Lines::of(text).at(offset), Location { line, column }, "{name}");
        }
    }
}
