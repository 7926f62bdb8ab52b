"""What ccxt is asked to do at each venue, and where the time and the nonce of a request stand.

The client and the origin read the same table: the origin signs a request of the same parameters
with ccxt's own code, the right secret, and the time and nonce of the request that has come.
"""

import base64

# Test only. Those of the right name sign; the dummies are what the programs have.
TEXT = "SecretSecretSecretSecretSecret12"
BASE64 = base64.b64encode(b"a secret of sixty-four bytes for tests only: it opens nothing!!!").decode()
SEED = base64.b64encode(bytes(range(32))).decode()
PASSPHRASE = "Pass phrase"

KINDS = {
    "text": (TEXT, "dummy-secret"),
    "base64": (BASE64, base64.b64encode(b"dummy").decode()),
    "seed": (SEED, base64.b64encode(bytes(32)).decode()),
}


class Venue:
    """A venue: ccxt's class, our scheme and host, and calls as (path, api, method, params)."""

    def __init__(self, name, host, time, *calls, scheme=None, algorithm="hmac_sha256", kind="text",
                 nonce=None, passphrase=False, key="the-key", params=()):
        self.name, self.host, self.time, self.calls = name, host, time, calls
        self.scheme = scheme or name
        self.algorithm, self.kind, self.nonce = algorithm, kind, nonce
        self.passphrase, self.key = passphrase, key
        # The route's parameters for each path, where a route is for one path.
        self.params = dict(params)

    def exchange(self, module, right):
        """ccxt's object, with the credentials that sign or with dummies."""
        secret = KINDS[self.kind][0 if right else 1]
        exchange = getattr(module, self.name)({
            # Gemini's begin with account.
            "apiKey": self.key if right else "account-dummy",
            "secret": secret,
            "password": PASSPHRASE if right else "dummy",
            "enableRateLimit": False,
        })
        exchange.options.setdefault("timeDifference", 0)
        return exchange


ORDER = {"symbol": "LTCBTC", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1",
         "price": "0.1", "newClientOrderId": "a"}
PRIVATE = ["private"]

VENUES = [
    Venue("binance", "api.binance.com", ("field", "timestamp"),
          ("account", PRIVATE, "GET", {"omitZeroBalances": "true"}),
          ("order", PRIVATE, "POST", ORDER),
          ("order", PRIVATE, "DELETE", {"symbol": "LTCBTC", "origClientOrderId": "a b/ü"})),
    Venue("bybit", "api.bybit.com", ("header", "X-BAPI-TIMESTAMP"),
          ("v5/position/list", PRIVATE, "GET", {"category": "linear", "symbol": "BTCUSDT"}),
          ("v5/order/create", PRIVATE, "POST", {"category": "spot", "symbol": "BTCUSDT", "qty": "1"})),
    Venue("okx", "www.okx.com", ("header", "OK-ACCESS-TIMESTAMP"),
          ("account/balance", PRIVATE, "GET", {"ccy": "BTC,ETH"}),
          ("trade/order", PRIVATE, "POST", {"instId": "BTC-USDT", "side": "buy", "clOrdId": "b15"}),
          passphrase=True),
    Venue("kraken", "api.kraken.com", ("field", "nonce"),
          ("Balance", PRIVATE, "POST", {}),
          ("AddOrder", PRIVATE, "POST", {"ordertype": "limit", "pair": "XBTUSD", "price": "37500"}),
          algorithm="hmac_sha512", kind="base64"),
    Venue("krakenfutures", "futures.kraken.com", None,
          ("openpositions", PRIVATE, "GET", {}),
          ("sendorder", PRIVATE, "POST", {"orderType": "lmt", "symbol": "PI_XBTUSD", "size": "1"}),
          scheme="kraken_futures", algorithm="hmac_sha512", kind="base64"),
    Venue("coinbaseexchange", "api.exchange.coinbase.com", ("header", "CB-ACCESS-TIMESTAMP"),
          ("accounts", PRIVATE, "GET", {"limit": 3}),
          ("orders", PRIVATE, "POST", {"product_id": "BTC-USD", "side": "buy", "size": "0.01"}),
          scheme="coinbase_exchange", kind="base64", passphrase=True),
    Venue("bitget", "api.bitget.com", ("header", "ACCESS-TIMESTAMP"),
          ("v2/spot/account/assets", ["private", "spot"], "GET", {"coin": "BTC", "assetType": "a/b c"}),
          ("v2/spot/trade/place-order", ["private", "spot"], "POST", {"symbol": "BTCUSDT", "size": "1"}),
          passphrase=True),
    Venue("kucoin", "api.kucoin.com", ("header", "KC-API-TIMESTAMP"),
          ("accounts", PRIVATE, "GET", {"currency": "BTC", "type": "main"}),
          ("orders", PRIVATE, "POST", {"clientOid": "a", "symbol": "BTC-USDT", "size": "1"}),
          passphrase=True),
    Venue("gate", "api.gateio.ws", ("header", "Timestamp"),
          ("my_trades", ["private", "spot"], "GET", {"currency_pair": "BTC/USDT x", "limit": "1"}),
          ("orders", ["private", "spot"], "POST", {"currency_pair": "BTC_USDT", "amount": "1"}),
          algorithm="hmac_sha512"),
    Venue("htx", "api.huobi.pro", ("field", "Timestamp"),
          ("v1/order/openOrders", ["spot", "private"], "GET", {"account-id": "1", "states": "a,b"}),
          ("v1/order/orders/place", ["spot", "private"], "POST", {"symbol": "btcusdt", "client-order-id": "c"})),
    Venue("bitstamp", "www.bitstamp.net", ("header", "X-Auth-Timestamp"),
          ("account_balances/", PRIVATE, "POST", {}),
          ("buy/{pair}/", PRIVATE, "POST", {"pair": "btcusd", "amount": "1", "price": "2"}),
          nonce=("header", "X-Auth-Nonce")),
    Venue("bitfinex", "api.bitfinex.com", ("header", "bfx-nonce"),
          ("auth/r/wallets", PRIVATE, "POST", {}),
          ("auth/w/order/submit", PRIVATE, "POST", {"type": "LIMIT", "symbol": "tBTCUSD", "amount": "0.5"}),
          algorithm="hmac_sha384"),
    Venue("gemini", "api.gemini.com", ("payload", "X-GEMINI-PAYLOAD"),
          ("v1/balances", PRIVATE, "POST", {}),
          ("v1/order/new", PRIVATE, "POST", {"symbol": "btcusd", "amount": "5", "price": "3633.00"}),
          algorithm="hmac_sha384", key="account-the-key"),
    Venue("cryptocom", "api.crypto.com", ("member", "nonce"),
          ("private/get-open-orders", ["v1", "private"], "POST", {}),
          ("private/create-order", ["v1", "private"], "POST", {"side": "BUY", "price": 100.5, "l": [{"b": "c"}]}),
          scheme="crypto_com"),
    Venue("mexc", "api.mexc.com", ("field", "timestamp"),
          ("account", ["spot", "private"], "GET", {}),
          ("order", ["spot", "private"], "POST", ORDER)),
    Venue("deribit", "www.deribit.com", ("part", "ts"),
          ("get_account_summary", PRIVATE, "GET", {"currency": "BTC", "extended": "true"}),
          nonce=("part", "nonce")),
    Venue("upbit", "api.upbit.com", None,
          ("accounts", PRIVATE, "GET", {}),
          ("orders/open", PRIVATE, "GET", {"market": "KRW-BTC", "state": "wait"}),
          ("orders", PRIVATE, "POST", {"market": "KRW-BTC", "side": "bid", "volume": "0.01"}),
          nonce=("claim", "nonce")),
    Venue("apex", "omni.apex.exchange", ("header", "APEX-TIMESTAMP"),
          ("v3/account", PRIVATE, "GET", {"a": "1", "b": "2"}),
          ("v3/order", PRIVATE, "POST", {"symbol": "BTC-USDT", "size": "0.01", "side": "BUY"}),
          passphrase=True),
    Venue("btcbox", "www.btcbox.co.jp", ("field", "nonce"),
          ("trade_add", PRIVATE, "POST", {"coin": "btc", "amount": "1", "price": "100"})),
    Venue("coinone", "api.coinone.co.kr", None,
          ("order/cancel", ["v2_1Private"], "POST", {"order_id": "x", "quote_currency": "KRW"}),
          algorithm="hmac_sha512", nonce=("payload", "X-COINONE-PAYLOAD")),
    Venue("backpack", "api.backpack.exchange", ("header", "X-Timestamp"),
          ("api/v1/capital", PRIVATE, "GET", {}),
          ("api/v1/order", PRIVATE, "POST", {"symbol": "SOL_USDC", "side": "Bid", "quantity": "12"}),
          algorithm="ed25519", kind="seed", key="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
          params={"/api/v1/capital": {"instruction": "balanceQuery"},
                  "/api/v1/order": {"instruction": "orderExecute"}}),
]
