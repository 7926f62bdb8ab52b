//! StrictModes (sshd_config(5)): what is believed is what nobody but this user and root can change,
//! itself and on every directory that leads to it.
//!
//! Symbolic links are judged by where they lead; in a sticky directory, which anybody may write, by
//! whose they are as well. Not counted is what lies on a read-only mount, and what others may write of
//! a sticky directory, where everybody's files are their own.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::geteuid;

use crate::problem::Problem;

/// Refuses a file or directory that others could change, or put another in the place of. What is not
/// there, or cannot be looked at, is for those who open it.
///
/// # Errors
///
/// Which file or directory it is, what is wrong with it, and the command that mends it.
pub(crate) fn check(path: &Path) -> Result<(), Problem> {
    Owners::with(None).walk(path)
}

/// The same for a socket that is connected to; it may be `also` another user's.
///
/// # Errors
///
/// As [`check`].
pub(crate) fn check_socket(path: &Path, also: Option<u32>) -> Result<(), Problem> {
    Owners::with(also).walk(path)
}

/// Those who may change what is believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owners {
    own: u32,
    root: u32,
    also: Option<u32>,
}

impl Owners {
    /// This process's user, root, and whom a setting names.
    pub(crate) fn with(also: Option<u32>) -> Self {
        // In a user namespace without root everything of root's shows as nobody's, and `/` too.
        let root = fs::metadata("/").map_or(0, |found| found.uid());
        let root = if root == UNMAPPED { root } else { 0 };
        Self { own: geteuid().as_raw(), root, also }
    }

    /// Whether a user is one of them.
    pub(crate) fn has(self, user: u32) -> bool {
        [self.own, 0, self.root].contains(&user) || self.also == Some(user)
    }

    fn walk(self, path: &Path) -> Result<(), Problem> {
        let Ok(path) = std::path::absolute(path) else { return Ok(()) };
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        let mut rest: VecDeque<OsString> = names(&path).collect();
        let Ok(mut directory) = fs::symlink_metadata(&at) else { return Ok(()) };
        self.judge(&at, &directory)?;
        while let Some(name) = rest.pop_front() {
            // No link is left in what was walked so far.
            let next = if name == ".." { parent(&at) } else { at.join(&name) };
            let Ok(found) = fs::symlink_metadata(&next) else { return Ok(()) };
            if found.is_symlink() {
                self.judge_link(&next, &found, &directory)?;
                links += 1;
                let Ok(target) = fs::read_link(&next) else { return Ok(()) };
                if links > MOST_LINKS {
                    return Ok(());
                }
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                names(&target).rev().for_each(|name| rest.push_front(name));
                continue;
            }
            self.judge(&next, &found)?;
            (at, directory) = (next, found);
        }
        Ok(())
    }

    /// A link cannot be changed, but whoever owns it in a sticky directory can put another there.
    fn judge_link(self, path: &Path, link: &Metadata, directory: &Metadata) -> Result<(), Problem> {
        let replaceable = directory.mode() & OTHERS != 0 && !self.has(link.uid());
        if !replaceable || is_read_only(path.parent().unwrap_or(path)) {
            return Ok(());
        }
        let what = format!("is a symbolic link of user {}", link.uid());
        Err(Problem::new(what, "name what it leads to").of(path.display()))
    }

    fn judge(self, path: &Path, found: &Metadata) -> Result<(), Problem> {
        match self.fault(path, found) {
            Some(problem) if !is_read_only(path) => Err(problem),
            _ => Ok(()),
        }
    }

    fn fault(self, path: &Path, found: &Metadata) -> Option<Problem> {
        let (shown, kind, mode) = (path.display(), found.file_type(), found.mode() & 0o7777);
        let subject =
            if kind.is_dir() { format!("the directory {shown}") } else { shown.to_string() };
        if !self.has(found.uid()) {
            let what = format!("belongs to user {}, who can change it", found.uid());
            let fix = format!("chown {} {shown}", self.own);
            return Some(Problem::new(what, fix).of(subject));
        }
        let open = if kind.is_socket() {
            // To write to one is to connect to it, and its group may be how we do.
            mode & 0o002
        } else if kind.is_dir() && mode & STICKY == 0 || kind.is_file() {
            mode & OTHERS
        } else {
            0
        };
        let (whom, bits) = match open {
            0 => return None,
            0o020 => ("its group", "g-w"),
            0o002 => ("others", "o-w"),
            _ => ("others", "go-w"),
        };
        let what = format!("can be written by {whom} (mode {mode:04o})");
        Some(Problem::new(what, format!("chmod {bits} {shown}")).of(subject))
    }
}

/// The names in a path, `..` among them.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect::<Vec<_>>().into_iter()
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// The bits of a mode by which group and others may write.
const OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// How the kernel shows a user that a namespace does not have.
const UNMAPPED: u32 = 65534;
/// As many as Linux follows (path_resolution(7)).
const MOST_LINKS: u32 = 40;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// `a/b/file`, all of it ours alone, and its place without links.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let place = fs::canonicalize(home.path()).unwrap();
        fs::create_dir_all(place.join("a/b")).unwrap();
        for (name, bits) in [("a", 0o755), ("a/b", 0o755)] {
            mode(&place.join(name), bits);
        }
        fs::write(place.join("a/b/file"), "x").unwrap();
        mode(&place.join("a/b/file"), 0o644);
        (home, place)
    }

    #[test]
    fn what_others_may_write_is_refused_wherever_it_is_on_the_way() {
        let (_home, place) = tree();
        let file = place.join("a/b/file");
        assert_eq!(check(&file), Ok(()));
        for (name, bits, whom, fix) in [
            ("a/b/file", 0o666, "others", "go-w"),
            ("a/b/file", 0o664, "its group", "g-w"),
            ("a/b/file", 0o646, "others", "o-w"),
            ("a/b", 0o777, "others", "go-w"),
            ("a", 0o775, "its group", "g-w"),
        ] {
            let path = place.join(name);
            let before = fs::metadata(&path).unwrap().mode();
            mode(&path, bits);
            let problem = check(&file).unwrap_err();
            let subject = if name.ends_with("file") { "" } else { "the directory " };
            let shown = path.display();
            let what = format!("{subject}{shown} can be written by {whom} (mode {bits:04o})");
            assert_eq!((problem.what, problem.fix), (what, format!("chmod {fix} {shown}")));
            mode(&path, before);
        }
        // In a sticky directory what is ours is ours.
        mode(&place.join("a"), 0o1777);
        assert_eq!(check(&file), Ok(()));
        mode(&file, 0o666);
        assert!(check(&file).is_err(), "a sticky directory guards no file that is open itself");
        assert_eq!(check(&place.join("a/none/file")), Ok(()), "what is not there is not judged");
    }

    #[test]
    fn links_are_judged_by_where_they_lead() {
        let (_home, place) = tree();
        symlink("a/b", place.join("link")).unwrap();
        symlink(place.join("link/../b/./file"), place.join("deep")).unwrap();
        symlink("round", place.join("round")).unwrap();
        for name in ["link/file", "deep", "round"] {
            assert_eq!(check(&place.join(name)), Ok(()), "{name}");
        }
        mode(&place.join("a/b"), 0o777);
        for name in ["link/file", "deep"] {
            let problem = check(&place.join(name)).unwrap_err();
            assert!(problem.what.contains("/a/b can be written"), "{name}: {problem}");
        }
    }

    #[test]
    fn owners_are_this_user_root_and_whom_a_setting_names() {
        let (_home, place) = tree();
        let file = place.join("a/b/file");
        let found = fs::metadata(&file).unwrap();
        let stranger = Owners { own: found.uid() + 1, root: 0, also: None };
        let fault = stranger.fault(&file, &found).map(|problem| problem.fix);
        let known = found.uid() == 0;
        let fix = format!("chown {} {}", found.uid() + 1, file.display());
        assert_eq!(fault, (!known).then_some(fix));
        let alone = Owners { own: 4, root: 0, also: None };
        let named = Owners { also: Some(5), ..alone };
        for (user, ours, with) in
            [(4, true, true), (0, true, true), (5, false, true), (6, false, false)]
        {
            assert_eq!((alone.has(user), named.has(user)), (ours, with), "{user}");
        }
    }

    #[test]
    fn a_socket_is_not_for_others_to_connect_to() {
        let (_home, place) = tree();
        let path = place.join("a/socket");
        let _listener = UnixListener::bind(&path).unwrap();
        for (bits, good) in [(0o600, true), (0o660, true), (0o666, false), (0o777, false)] {
            mode(&path, bits);
            assert_eq!(check_socket(&path, None).is_ok(), good, "{bits:o}");
        }
    }
}
