//! Which name was probably meant.

/// The candidate that differs least from `name`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the letters may be wrong, and at least one unless it is the only one.
    let letters = name.chars().count();
    let limit = (letters / 3).max(usize::from(letters > 1));
    let distances = candidates.into_iter().map(|candidate| (distance(name, candidate), candidate));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, candidate)| candidate)
}

/// The advice for a name that is none of `candidates`: the nearest one, or all of them.
pub(crate) fn choose(name: &str, candidates: &[&str]) -> String {
    match (nearest(name, candidates.iter().copied()), candidates) {
        (Some(meant), _) => format!("write {meant}"),
        (None, []) => "remove it".into(),
        (None, [only]) => format!("use {only}"),
        (None, all) => format!("use one of: {}", all.join(", ")),
    }
}

/// How many letters must be added, removed, replaced or swapped with their neighbour to turn
/// one text into the other, each letter moved at most once.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            rows[i][j] = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if swapped {
                rows[i][j] = rows[i][j].min(rows[i - 2][j - 2] + 1);
            }
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        let cases = [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("forwrad", "forward", 1),
            ("übung", "ubung", 1),
        ];
        for (from, to, expected) in cases {
            assert_eq!(distance(from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["forward", "gateway", "admin"];
        assert_eq!(nearest("fordwar", names), Some("forward"));
        assert_eq!(nearest("gatway", names), Some("gateway"));
        assert_eq!(nearest("tls", names), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(choose("admim", &names), "write admin");
        assert_eq!(choose("tls", &names), "use one of: forward, gateway, admin");
        assert_eq!(choose("tls", &["admin"]), "use admin");
        assert_eq!(choose("tls", &[]), "remove it");
    }
}
