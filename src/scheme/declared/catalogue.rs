//! The catalogue: every file of `schemes/`, in the program. A file more is a row more.

use std::sync::{Arc, LazyLock, OnceLock};

use super::Compiled;
use crate::scheme::Entry;

/// The scheme of this name, which is read, and its vectors run, when it is first asked for.
pub(crate) fn find(name: &str) -> Option<&'static Arc<Entry>> {
    static ENTRIES: LazyLock<Vec<OnceLock<Arc<Entry>>>> =
        LazyLock::new(|| CATALOGUE.iter().map(|_| OnceLock::new()).collect());
    let at = CATALOGUE.binary_search_by(|(own, _)| (*own).cmp(name)).ok()?;
    let (name, text) = CATALOGUE[at];
    Some(ENTRIES[at].get_or_init(|| {
        let compiled = Compiled::load(text).expect("a test loads every file of the catalogue");
        Arc::new(compiled.entry(name))
    }))
}

/// Names and texts, by name.
pub(crate) static CATALOGUE: &[(&str, &str)] = &[
    ("aliyun_acs3", include_str!("../../../schemes/aliyun_acs3.toml")),
    ("aliyun_rpc", include_str!("../../../schemes/aliyun_rpc.toml")),
    ("apex", include_str!("../../../schemes/apex.toml")),
    ("apple", include_str!("../../../schemes/apple.toml")),
    ("aws_s3", include_str!("../../../schemes/aws_s3.toml")),
    ("aws_s3_unsigned", include_str!("../../../schemes/aws_s3_unsigned.toml")),
    ("aws_sigv4", include_str!("../../../schemes/aws_sigv4.toml")),
    ("aws_sigv4_session", include_str!("../../../schemes/aws_sigv4_session.toml")),
    ("azure_shared_key", include_str!("../../../schemes/azure_shared_key.toml")),
    ("backpack", include_str!("../../../schemes/backpack.toml")),
    ("binance", include_str!("../../../schemes/binance.toml")),
    ("binance_ed25519", include_str!("../../../schemes/binance_ed25519.toml")),
    ("binance_rsa", include_str!("../../../schemes/binance_rsa.toml")),
    ("bitfinex", include_str!("../../../schemes/bitfinex.toml")),
    ("bitget", include_str!("../../../schemes/bitget.toml")),
    ("bitgo", include_str!("../../../schemes/bitgo.toml")),
    ("bitgo_v2", include_str!("../../../schemes/bitgo_v2.toml")),
    ("bitmex", include_str!("../../../schemes/bitmex.toml")),
    ("bitstamp", include_str!("../../../schemes/bitstamp.toml")),
    ("btcbox", include_str!("../../../schemes/btcbox.toml")),
    ("bybit", include_str!("../../../schemes/bybit.toml")),
    ("bybit_rsa", include_str!("../../../schemes/bybit_rsa.toml")),
    ("cobo_custody", include_str!("../../../schemes/cobo_custody.toml")),
    ("cobo_waas2", include_str!("../../../schemes/cobo_waas2.toml")),
    ("coinbase", include_str!("../../../schemes/coinbase.toml")),
    ("coinbase_exchange", include_str!("../../../schemes/coinbase_exchange.toml")),
    ("coinex", include_str!("../../../schemes/coinex.toml")),
    ("coinex_hash", include_str!("../../../schemes/coinex_hash.toml")),
    ("coinone", include_str!("../../../schemes/coinone.toml")),
    ("crypto_com", include_str!("../../../schemes/crypto_com.toml")),
    ("cryptomus", include_str!("../../../schemes/cryptomus.toml")),
    ("deribit", include_str!("../../../schemes/deribit.toml")),
    ("fireblocks", include_str!("../../../schemes/fireblocks.toml")),
    ("gate", include_str!("../../../schemes/gate.toml")),
    ("gemini", include_str!("../../../schemes/gemini.toml")),
    ("google", include_str!("../../../schemes/google.toml")),
    ("htx", include_str!("../../../schemes/htx.toml")),
    ("kraken", include_str!("../../../schemes/kraken.toml")),
    ("kraken_futures", include_str!("../../../schemes/kraken_futures.toml")),
    ("kucoin", include_str!("../../../schemes/kucoin.toml")),
    ("mexc", include_str!("../../../schemes/mexc.toml")),
    ("mexc_contract", include_str!("../../../schemes/mexc_contract.toml")),
    ("oauth1", include_str!("../../../schemes/oauth1.toml")),
    ("oauth1_sha1", include_str!("../../../schemes/oauth1_sha1.toml")),
    ("okx", include_str!("../../../schemes/okx.toml")),
    ("ovh", include_str!("../../../schemes/ovh.toml")),
    ("rfc9421", include_str!("../../../schemes/rfc9421.toml")),
    ("tencent_tc3", include_str!("../../../schemes/tencent_tc3.toml")),
    ("turnkey", include_str!("../../../schemes/turnkey.toml")),
    ("upbit", include_str!("../../../schemes/upbit.toml")),
    ("web_bot_auth", include_str!("../../../schemes/web_bot_auth.toml")),
    ("wechat_pay", include_str!("../../../schemes/wechat_pay.toml")),
];
