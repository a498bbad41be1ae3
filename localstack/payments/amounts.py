"""Which amounts can be charged (https://docs.stripe.com/currencies)."""

CURRENCIES = frozenset(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny
    cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd
    jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad
    ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl
    thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw
    """.split()
)

# Minimum charges of an account that settles in the same currency. Currencies that Stripe converts have no minimum here.
LEAST = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
MOST = {"idr": 10**12 - 1, "inr": 10**9 - 1, "lbp": 10**14 - 1, "cop": 10**13 - 1, "huf": 10**13 - 1, "jpy": 10**13 - 1}
MOST_ELSEWHERE = 10**8 - 1

# No minor unit, but counted in hundredths; three decimals, of which the last must be 0.
STEPS = dict.fromkeys(("isk", "ugx"), 100) | dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10)
