//! All that it takes to open an entry of a store.

use super::need::Need;
use super::store::{Needed, SettingKind, StoreKind, StoreSettings};

/// The files that settings name, the entry's own, what the kind needs beside them, and the same for
/// the secrets that the store itself takes.
pub(crate) fn needs(kind: &StoreKind, settings: &StoreSettings, entry: &str) -> Vec<Need> {
    let mut needs: Vec<Need> = (kind.file)(settings, entry).map(Need::File).into_iter().collect();
    needs.extend((kind.needs)(settings, entry));
    for setting in kind.settings {
        let path = settings.path(setting.name).to_owned();
        match setting.kind {
            SettingKind::File if settings.text(setting.name).is_some() => {
                needs.push(Need::File(path));
            }
            SettingKind::Directory => needs.push(Need::Directory(path)),
            SettingKind::Secret => {
                if let Some(Needed::Kept(kind, settings, entry)) = settings.secret(setting.name) {
                    needs.extend(self::needs(kind, settings, entry));
                }
            }
            SettingKind::File
            | SettingKind::Variable
            | SettingKind::Prefix
            | SettingKind::Command
            | SettingKind::Duration
            | SettingKind::Text
            | SettingKind::Address
            | SettingKind::Signer => {}
        }
    }
    needs
}
