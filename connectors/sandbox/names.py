"""The words the sandbox's people, companies and streets are named with.

Belongs here: hand-picked lists of common Finnish and Finland-Swedish names, invented street names, real
post offices. Does not belong here: any frequency table or other copied data set, or a rule of who is
called what (`founding`). Everything fits in Windows-1252, as a register of this age would demand.
"""

from typing import NamedTuple


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SURNAMES = _words(
    """
    Aalto Aaltonen Ahlgren Aho Ahola Ahonen Airaksinen Ala-Heikkilä Alanen Alatalo Anttila Anttonen
    Arola Asikainen Auvinen Eerola Ekman Elo Eronen Eskelinen Eskola Hakala Hakanen Hakkarainen
    Halonen Hannula Harju Harjula Hartikainen Heikkilä Heikkinen Heino Heinonen Helenius Hiltunen
    Hirvonen Hokkanen Holopainen Honkanen Huhtala Huovinen Huttunen Hyttinen Hyvärinen Hyvönen
    Hämäläinen Hänninen Härkönen Ikonen Immonen Jaakkola Jalonen Jokela Jokinen Juntunen Jussila
    Juvonen Jääskeläinen Kainulainen Kallio Kangas Karjalainen Karppinen Karvinen Karvonen Kauppila
    Kauppinen Kemppainen Keränen Kettunen Kinnunen Kivelä Kivinen Kiviniemi Knuuttila Koivisto
    Koivula Koivunen Kokko Kokkonen Koponen Korhonen Korpela Korpi Koskela Koskinen Kosonen Kovanen
    Kujala Kukkonen Kuusela Kuusisto Kyllönen Kärkkäinen Kärnä Laakkonen Laaksonen Lahtela Lahti
    Lahtinen Laine Laitinen Lamminen Lampinen Lappalainen Larikka Lassila Latvala Laukkanen Laurila
    Lehtinen Lehto Lehtola Lehtonen Leino Leinonen Lepistö Leppänen Leskinen Liimatainen Lindroos
    Linna Lipponen Luoma Luukkonen Luoto Malinen Manninen Markkanen Martikainen Mattila Mikkola
    Mikkonen Moilanen Mustonen Myllymäki Mäenpää Mäkelä Mäki Mäkinen Määttä Naukkarinen Nevalainen
    Niemelä Niemi Nieminen Niinimäki Niskanen Nissinen Nousiainen Nurmela Nurmi Nurminen Nykänen
    Oikarinen Ojala Ojanen Oksanen Ollikainen Paananen Paavola Pakarinen Parkkinen Partanen Pekkala
    Peltola Peltonen Pennanen Pesonen Pietilä Piirainen Pirinen Pitkänen Pulkkinen Puustinen
    Pääkkönen Raatikainen Rajala Rantala Rantanen Rautiainen Reinikainen Riihimäki Rinne Rissanen
    Ruotsalainen Räsänen Rönkkö Saarela Saari Saarinen Salmi Salminen Salo Salonen Savolainen
    Seppälä Seppänen Sihvonen Siltanen Simola Sipilä Sirén Soini Suominen Sutinen Taipale Takala
    Tammi Tanskanen Tarvainen Tikka Tikkanen Timonen Toivonen Tolvanen Torvinen Tuominen Tuomisto
    Turpeinen Turunen Uusitalo Vainio Vainionpää Valkonen Valtonen Varis Vartiainen Vesterinen
    Viitala Viljanen Virta Virtanen Voutilainen Vuori Vuorinen Väisänen Väänänen Ylinen Ylitalo
    """
)
SWEDISH_SURNAMES = _words(
    """
    Andersson Backman Berg Berglund Bergström Björklund Blomqvist Engström Eriksson Fagerström
    Forsman Grönroos Gustafsson Hägglund Holmberg Holmström Johansson Karlsson Lindberg Lindholm
    Lindqvist Lindström Lundqvist Löfgren Mattsson Nordström Nyberg Nylund Nyström Sjöberg Sjöholm
    Ström Sundqvist Söderholm Söderström Wikström Westerlund Åberg Åkerlund Öhman Österberg
    """
)
MEN = _words(
    """
    Aapo Aarne Aaro Aki Aleksi Antero Anton Antti Ari Arto Artturi Atte Daniel Eemeli Eero Eetu Eino
    Elias Elmeri Ensio Erkki Esa Hannu Harri Heikki Helmeri Henri Hermanni Iisakki Ilkka Ilmari
    Iivari Jaakko Jalmari Jani Janne Jari Jarmo Joel Johannes Jouko Jouni Juha Juhana Juhani Juho
    Jukka Jussi Jyrki Kaarlo Kai Kalervo Kalevi Kalle Kari Kimmo Kristian Kullervo Lasse Lassi Lauri
    Leevi Leo Markku Marko Markus Martti Matias Matti Mauno Mika Mikael Mikko Niilo Niko Olavi Oliver
    Olli Onni Oskari Otto Paavo Panu Pasi Paul Pauli Pekka Pentti Pertti Petri Petteri Rainer Raimo
    Rasmus Reijo Reino Risto Roope Sakari Sami Samuel Samuli Santeri Seppo Simo Sulo Tapani Tapio
    Tauno Teemu Tero Timo Toivo Tomi Tommi Toni Topias Tuomas Tuomo Uolevi Urho Valtteri Veijo Veikko
    Veli Vesa Viljami Vilho Ville Väinö Yrjö
    """
)
WOMEN = _words(
    """
    Aada Aila Aili Aino Aliisa Amanda Anita Anja Anna Anne Anneli Annika Annikki Anni Arja Aune Aurora
    Eeva Eija Eila Elina Elisa Elli Ellen Elsa Emilia Emma Enni Erika Essi Esteri Eveliina Hanna
    Hannele Heidi Heini Helena Heli Helmi Hilja Hilkka Hilma Iida Ilona Inari Inkeri Irene Irja Irma
    Johanna Jonna Julia Kaarina Kaija Kaisa Karoliina Katariina Kati Katja Katri Kerttu Kirsi Kirsti
    Krista Kristiina Kyllikki Laura Lea Leena Lempi Liisa Lotta Maarit Maija Maire Mari Maria Marika
    Marja Marjatta Marjo Martta Matilda Meeri Merja Mervi Mia Milla Minna Minttu Mirja Mirjami Noora
    Oona Orvokki Outi Paula Pauliina Päivi Pinja Pirjo Pirkko Raija Raili Reetta Riikka Riitta Ritva
    Roosa Saara Saija Saila Salla Sanna Sari Satu Seija Senja Siiri Silja Sini Sinikka Sirkka Sirpa
    Sisko Sofia Sointu Susanna Suvi Sylvi Taina Taru Tarja Tellervo Terhi Terttu Tiina Tuija Tuula
    Tuulikki Tyyne Ulla Unelma Vappu Venla Vieno Viivi Vilhelmiina Virpi
    """
)
SWEDISH_MEN = _words(
    """
    Anders Axel Bengt Björn Bo Carl Christer Erik Fredrik Göran Gustav Hans Henrik Håkan Johan Jonas
    Kaj Karl Kjell Lars Leif Magnus Mats Mårten Nils Ole Patrik Per Peter Ralf Robert Rolf Rune Stefan
    Sten Sven Thomas Torsten Ulf Åke Östen
    """
)
SWEDISH_WOMEN = _words(
    """
    Agneta Alexandra Astrid Barbro Birgitta Britta Camilla Carita Carola Christina Ebba Elisabet Eva
    Gun Gunilla Görel Helene Ingrid Karin Katarina Kerstin Lena Linnea Lisbet Lovisa Maj Malin
    Margareta Marianne Märta Monica Pernilla Pia Siv Solveig Susanne Ulrika Viveka Yvonne Åsa
    """
)

_STREET_STEMS = _words(
    """
    Koivikko Tervahauta Pihlajisto Kuusikko Peltoaukea Haapasuo Hiekkamäki Kanervisto Lehmusrinne
    Niittysarka Pajukko Riihipelto Savikuoppa Suoniitty Tuohikko Vaahteristo Varpukangas Apilapelto
    Heinäsuova Jäkäläkallio Karhunsammal Lampiaho Mustikkamaa Naavakuusi Ohrasarka Pellavapelto
    Rukiinsirppi Saarnisto Tattarikangas Uittopuro Viljaaukea Kaislikko Saunapolku Tuulihaukka
    Metsätähti Kellokukka Ojakellukka Rantakukka Vanamo Orvokinniitty
    """
)
_STREET_KINDS = ("tie", "kuja", "polku", "raitti")
STREETS = tuple(stem + kind for kind in _STREET_KINDS for stem in _STREET_STEMS)

BILINGUAL_STREETS = (
    ("Kanervikkokatu", "Ljunghedsgatan"),
    ("Tervalepänkatu", "Klibbalsgatan"),
    ("Majakkarinteenkatu", "Fyrbacksgatan"),
    ("Kuutamokatu", "Månskensgatan"),
    ("Lokinlaidantie", "Måsnävsvägen"),
    ("Punavarpusentie", "Rosenfinksvägen"),
    ("Juuttikuja", "Jutegränden"),
    ("Ankkuriketjuntie", "Ankarkedjevägen"),
)

COMPANY_STEMS = _words(
    """
    Kuusenkerkkä Savipelto Jokivarsi Tervalautta Hakamaa Viljatori Kantoset Rautalapio Pajarengas
    Hirsikehä Lämpöputki Sorajyvä Kukkoportti Maitokannu Leipäuuni Piennar Harjakatto Sahanterä
    Vesiratas Konehalli
    """
)
COMPANY_TRADES = (
    "Kuljetus",
    "Rakennus",
    "Konepaja",
    "Puutarha",
    "Kiinteistöt",
    "Leipomo",
    "Autohuolto",
)


class PostOffice(NamedTuple):
    """A postal code with the post office's names and the municipality's code."""

    code: str
    name: str
    swedish: str
    municipality: str


HOME_MUNICIPALITY = "103"
HOME = (
    PostOffice("31640", "HUMPPILA", "HUMPPILA", HOME_MUNICIPALITY),
    PostOffice("31650", "VENÄJÄNKANGAS", "VENÄJÄNKANGAS", HOME_MUNICIPALITY),
)
HOME_BOXES = PostOffice("31641", "HUMPPILA", "HUMPPILA", HOME_MUNICIPALITY)
NEIGHBOURS = (
    PostOffice("31600", "JOKIOINEN", "JOKIOINEN", "169"),
    PostOffice("30100", "FORSSA", "FORSSA", "061"),
    PostOffice("31300", "TAMMELA", "TAMMELA", "834"),
    PostOffice("32100", "YPÄJÄ", "YPÄJÄ", "981"),
)
CITIES = (
    PostOffice("00100", "HELSINKI", "HELSINGFORS", "091"),
    PostOffice("00530", "HELSINKI", "HELSINGFORS", "091"),
    PostOffice("20100", "TURKU", "ÅBO", "853"),
    PostOffice("20810", "TURKU", "ÅBO", "853"),
    PostOffice("02100", "ESPOO", "ESBO", "049"),
)
ABROAD = (
    ("SE", "752", "Sverige", "Storgatan", "113 51", "STOCKHOLM"),
    ("SE", "752", "Sverige", "Ekbacken", "753 20", "UPPSALA"),
    ("EE", "233", "Eesti", "Pikk tänav", "10123", "TALLINN"),
    ("DE", "276", "Deutschland", "Birkenweg", "20095", "HAMBURG"),
    ("ES", "724", "España", "Calle del Pinar", "29640", "FUENGIROLA"),
)
E_INVOICE_OPERATORS = ("NDEAFIHH", "OKOYFIHH", "DABAFIHH")
