"""Who sells and says what in the demo."""

PASSWORD = "correct horse battery"
DEMO = "demo@souk.example"
USERS = {
    DEMO: "Demo seller",
    "mei@souk.example": "Mei Tan",
    "omar@souk.example": "Omar Haddad",
    "ines@souk.example": "Inês Duarte",
    "arjun@souk.example": "Arjun Rao",
    "lotte@souk.example": "Lotte Brandt",
}

# Seller, name, description, category, price in Singapore cents, stock.
PRODUCTS = [
    ("ines", "Clay planter, speckled", "Thrown by hand; a hole and a saucer. 14 cm.", "garden", 3200, 11),
    ("ines", "Bird's nest fern", "In a nursery pot, about 30 cm high. Likes shade.", "garden", 1900, 7),
    ("mei", "Teak garden stool", "Solid teak, folds flat.", "home", 8900, 4),
    ("mei", "Rice-paper lamp", "Round, 40 cm, with a bamboo frame. Bulb not included.", "home", 4200, 16),
    ("demo", "Beeswax candles, six", "Burn for eight hours each, and smell of honey.", "home", 2400, 42),
    ("omar", "Handwoven kilim rug", "Wool, 120 by 180 cm, from a workshop in Kayseri.", "home", 24900, 3),
    ("omar", "Olive-wood mortar", "With its pestle. No two are alike.", "kitchen", 3900, 9),
    ("mei", "Carbon-steel wok", "32 cm, ready seasoned, with a wooden handle.", "kitchen", 5600, 21),
    ("demo", "Cast-iron teapot", "Holds 0.8 l, enamelled inside.", "kitchen", 6900, 14),
    ("demo", "Walnut serving board", "Oiled, 40 by 25 cm.", "kitchen", 4550, 9),
    ("lotte", "Cook's knife, 20 cm", "Forged, with a handle of smoked oak. Comes sharp.", "kitchen", 13900, 5),
    ("lotte", "Rye sourdough loaf", "Baked on Thursdays, 1 kg, keeps for a week.", "food", 950, 25),
    ("mei", "Kaya jam", "Coconut, egg and pandan. 200 g.", "food", 650, 60),
    ("arjun", "Whole black pepper", "From one garden in Wayanad, 100 g.", "food", 780, 120),
    ("omar", "Olive oil, early harvest", "Pressed within six hours. 500 ml.", "food", 2850, 33),
    ("arjun", "Monsooned coffee", "Whole beans, 250 g, roasted last week.", "food", 1690, 0),
    ("arjun", "Masala chai", "Assam with cardamom, ginger and clove, 150 g.", "tea", 1180, 75),
    ("demo", "Sencha, first flush", "Green tea from Shizuoka, 100 g.", "tea", 1850, 120),
    ("demo", "Lapsang souchong", "Black tea smoked over pine, 100 g.", "tea", 1420, 80),
    ("mei", "Ru-glaze tea cup", "Crackles more with each year. 90 ml.", "tea", 3400, 12),
    ("demo", "Linen apron", "Stone-washed, with one pocket.", "textiles", 3800, 33),
    ("arjun", "Indigo block-print scarf", "Cotton voile, printed and dyed by hand.", "textiles", 4900, 18),
    ("omar", "Hammam towel cloth", "Thin, wide, dries within the hour.", "textiles", 2950, 40),
    ("ines", "Cork cushion", "Covered with cork fabric from Alentejo.", "textiles", 4400, 8),
    ("ines", "Azulejo print", "Risograph in two blues, 30 by 40 cm.", "paper", 2600, 50),
    ("lotte", "Dotted notebook", "Thread-bound, 192 pages that take ink.", "paper", 1650, 90),
    ("lotte", "Brass pen", "Patinates. Takes the usual refills.", "paper", 5200, 15),
    ("omar", "Oud, student model", "Eleven strings, with a bag and a plectrum.", "music", 39900, 2),
    ("arjun", "Tabla drum set", "Dayan and bayan, tuned to C sharp, with rings.", "music", 28900, 2),
    ("ines", "Fado vinyl record", "A live recording from 1974, remastered.", "music", 3900, 27),
]

# What reviewers say, by stars.
REVIEWS = {
    5: [
        ("Better than the picture", "It arrived well packed, and I have used it every day since."),
        ("A joy", "Exactly what was described. I have ordered a second one as a present."),
        ("Would buy again", "Good work, and the seller answered within the hour."),
    ],
    4: [
        ("Very good", "One star less because the parcel took a week."),
        ("Nearly perfect", "A little smaller than I had thought. Otherwise, lovely."),
    ],
    3: [("Does what it should", "No complaints, but no surprises either.")],
    2: [("Not for me", "It is well made, and still I hardly use it.")],
    1: [("Came broken", "The seller sent the money back at once, I have to say.")],
}

# Name, in how many days, hour of the day (UTC), bands, venue, its address, latitude, longitude.
CONCERTS = [
    ("Night of strings", 6, 12, ["The Kallang Five", "Selma Oud Trio"], "Victoria Concert Hall", "11 Empress Place\nSingapore 179558", 1.2884, 103.8519),
    ("Monsoon ragas", 9, 11, ["Arjun Rao Ensemble"], "Esplanade Recital Studio", "1 Esplanade Drive\nSingapore 038981", 1.2898, 103.8558),
    ("Fado by the river", 12, 13, ["Inês e os Outros"], "Clarke Quay Stage", "3 River Valley Road\nSingapore 179024", 1.2906, 103.8465),
    ("Brass in the gardens", 15, 10, ["Bukit Brass"], "Shaw Symphony Stage", "Botanic Gardens\nSingapore 259569", 1.3138, 103.8159),
    ("Gamelan at dusk", 20, 11, ["Sekar Jepun"], "Fort Canning Green", "River Valley Road\nSingapore 179037", 1.2951, 103.8455),
    ("Drums of the east coast", 27, 12, ["Katong Taiko", "Bukit Brass"], "East Coast Amphitheatre", "East Coast Park\nSingapore 449876", 1.3008, 103.9122),
]

# SKU, name, price by now, and the prices before that with their age in days, of pages of the instance's own shop.
WATCHED = [
    ("sencha", "Sencha, 100 g", "11.90", [(74, "12.90"), (61, "13.90"), (47, "12.90"), (33, "10.90"), (19, "13.50"), (6, "12.90")]),
    ("gyokuro", "Gyokuro, 50 g", "34.00", [(80, "29.00"), (58, "32.00"), (41, "36.00"), (25, "31.50"), (14, "35.00"), (3, "36.50")]),
    ("teapot", "Teapot, 400 ml", "59.90", [(70, "64.90"), (66, "59.90"), (45, "69.90"), (30, "54.90"), (21, "62.90"), (9, "49.90")]),
]

# Price experiments of the demo seller: one that has run for some days, and a draft. Of each variant: key, weight in
# ten-thousandths, price in Singapore cents unless it is the product's own, and the share of visitors who buy.
EXPERIMENT = {
    "product": "Walnut serving board", "name": "Serving board, cheaper or dearer",
    "hypothesis": "Below forty dollars it is a present, and so many more are bought that revenue rises.",
    "arms": [("control", 3400, None, 0.055), ("present", 3400, 3900, 0.095), ("heirloom", 3200, 5900, 0.05)],
}
EXPERIMENT_DAYS = 14
DRAFT = {
    "product": "Beeswax candles, six", "name": "Candles below twenty",
    "hypothesis": "A price below twenty dollars brings first orders.",
    "arms": [("control", 5000, None, None), ("low", 5000, 1990, None)],
}
# The visitors of the running experiment, and the number of boards that each of them buys.
BUYERS = [("mei@souk.example", 1), ("omar@souk.example", 2), ("ines@souk.example", 0), ("arjun@souk.example", 1), ("lotte@souk.example", 0)]

# Of the shop's flash sale: SKU, name, price.
SALE = [
    ("sale-matcha", "Matcha, ceremonial, 30 g", "24.90"),
    ("sale-whisk", "Bamboo whisk", "14.50"),
    ("sale-kettle", "Gooseneck kettle", "69.00"),
    ("sale-tin", "Tea tin, lacquered", "19.90"),
    ("sale-oolong", "Oolong, high mountain, 75 g", "22.00"),
    ("sale-tray", "Draining tea tray", "48.00"),
]
