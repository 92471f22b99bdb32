"""German. Verbs of the prose do not part, and subjects are singular, so that every sentence is right."""

from __future__ import annotations

from mta_eval.tasks.languages.pack import Language, NeedleSentences, split_names
from mta_eval.tasks.languages.writing import SentenceWriter

_CITIES = """Amsterdam|Ankara|Antwerpen|Athen|Barcelona|Basel|Belgrad|Bologna|Bremen|Brüssel|Budapest|Bukarest|
Dresden|Dublin|Edinburgh|Florenz|Genf|Genua|Göteborg|Hamburg|Helsinki|Istanbul|Kairo|Kapstadt|Köln|Kopenhagen|
Krakau|Leipzig|Lissabon|Ljubljana|London|Madrid|Mailand|Marseille|Moskau|München|Neapel|Nürnberg|Oslo|Paris|
Peking|Prag|Reykjavik|Riga|Rostock|Salzburg|Sevilla|Sofia|Stockholm|Straßburg|Stuttgart|Tallinn|Tokio|Toronto|
Turin|Venedig|Warschau|Wien|Zagreb|Zürich"""

_WORDS = """Akkordeon|Ananas|Antilope|Aprikose|Banjo|Biber|Brokkoli|Chamäleon|Dattel|Delfin|Dinosaurier|Distel|
Dromedar|Eisberg|Elefant|Fagott|Falke|Flamingo|Forelle|Gazelle|Geysir|Giraffe|Gondel|Gorilla|Gurke|Harfe|
Haselnuss|Hummer|Ingwer|Jaguar|Kaktus|Kamel|Känguru|Klarinette|Koala|Kokosnuss|Komet|Kompass|Krokodil|Kürbis|
Lavendel|Lawine|Leguan|Mandarine|Meteor|Mikroskop|Mosaik|Muskatnuss|Nashorn|Oboe|Orchidee|Papagei|Pelikan|
Pinguin|Posaune|Pyramide|Qualle|Rhabarber|Safran|Saxofon|Skorpion|Tornado|Trompete|Vanille|Vulkan|Walross|
Xylofon|Zeppelin|Zimt|Zitrone"""

_SLOTS = {
    "who": """der Schreiner|die Lehrerin|der alte Fischer|meine Großmutter|der Uhrmacher|die Bäckerin|der Nachtwächter|
ein fremder Wanderer|der Müller|die Gärtnerin|unser Nachbar|der Schäfer|die Hebamme|ein junger Maler""",
    "did": """reparierte|beschrieb|suchte|vergaß|verkaufte|bewunderte|polierte|zeichnete|versteckte|vermisste|
putzte|fand""",
    "what": """den alten Krug|die zerrissene Karte|einen eisernen Kessel|das schmale Boot|den schweren Koffer|
eine hölzerne Leiter|das vergilbte Tagebuch|den blauen Vorhang|eine silberne Dose|den zerbrochenen Spiegel|
das lange Seil|die rostige Säge|einen Korb voller Birnen|eine wollene Decke""",
    "where": """am Fluss|hinter der Scheune|am Waldrand|unter der Brücke|auf dem Marktplatz|neben dem Brunnen|im Hafen|
auf dem Dachboden|vor der Kapelle|an der Wegkreuzung|in der Werkstatt|jenseits der Wiese""",
    "when": """am frühen Morgen|nach dem Gewitter|im späten Herbst|kurz vor Mitternacht|an einem warmen Abend|
während der Ernte|in jenem langen Winter|einige Wochen später|noch vor dem ersten Schnee|am Tag des Jahrmarkts|
ohne ein Wort|fast aus Versehen""",
    "thing": """der Wind|das Licht|die Stille|der Regen|der Geruch von nassem Laub|das alte Lied|
der Lärm der Straße|die Luft""",
    "how": """ungewohnt sanft|kälter als erwartet|schwer zu beschreiben|beinahe tröstlich|klar und hell|
nie ganz gleich|angenehm vertraut|leicht zu vergessen""",
    "why": """weil die Straße gesperrt war|obwohl es schon spät war|damit die anderen ausruhen konnten|
weil es niemand sonst tun wollte|obwohl kaum jemand es bemerkte|weil der Regen nicht aufhörte|
weil es immer so gewesen war""",
    "thought": """Gutes Werkzeug ist die halbe Arbeit|Ein gerader Weg ist nicht immer der kürzeste|
Kleine Reparaturen verhindern große|Niemand lernt ein Handwerk in einem einzigen Jahr|
Die meisten Streitigkeiten beginnen mit einem Missverständnis|Was heute billig ist, kann morgen teuer sein|
Fragen ist besser als raten|Für jede Aufgabe gibt es den richtigen Augenblick""",
}
_PATTERNS = (
    "<who> <did> <what> <where>.",
    "<when> <did> <who> <what>.",
    "<who> <did> <what>, <why>.",
    "<where> war <thing> <how>.",
    "<when> war <thing> <how>.",
    "<thing> war <how>, und <who> <did> <what>.",
    "<who> sagte oft: <thought>.",
    "<thought>, meinte <who>.",
    "<when> <did> <who> <where> <what>.",
    "als <thing> <how> war, <did> <who> <what>.",
    "niemand wusste, warum <who> <when> <what> <did>.",
    "man erzählt, dass <who> <where> <what> <did>.",
)

_SENTENCES = {
    "number": NeedleSentences(
        needle="Die magische Zahl von {key} ist {value}.",
        stem_of_several="Die magischen Zahlen von {key} sind",
        hidden="Im folgenden Text sind magische Zahlen versteckt. Lies ihn und merke sie dir.",
        ask_one="Was ist die magische Zahl von {key}? Antworte nur mit der Zahl.",
        ask_several="Was sind die magischen Zahlen von {key}? Antworte nur mit den Zahlen.",
    ),
    "word": NeedleSentences(
        needle="Das magische Wort von {key} ist {value}.",
        stem_of_several="Die magischen Wörter von {key} sind",
        hidden="Im folgenden Text sind magische Wörter versteckt. Lies ihn und merke sie dir.",
        ask_one="Was ist das magische Wort von {key}? Antworte nur mit dem Wort.",
        ask_several="Was sind die magischen Wörter von {key}? Antworte nur mit den Wörtern.",
    ),
    "code": NeedleSentences(
        needle="Der magische Code von {key} ist {value}.",
        stem_of_several="Die magischen Codes von {key} sind",
        hidden="Im folgenden Text sind magische Codes versteckt. Lies ihn und merke sie dir.",
        ask_one="Was ist der magische Code von {key}? Antworte nur mit dem Code.",
        ask_several="Was sind die magischen Codes von {key}? Antworte nur mit den Codes.",
    ),
    "phrase": NeedleSentences(
        needle="Der magische Spruch von {key} ist {value}.",
        stem_of_several="Die magischen Sprüche von {key} sind",
        hidden="Im folgenden Text sind magische Sprüche versteckt. Lies ihn und merke sie dir.",
        ask_one="Was ist der magische Spruch von {key}? Antworte nur mit dem Spruch.",
        ask_several="Was sind die magischen Sprüche von {key}? Antworte nur mit den Sprüchen.",
    ),
}

GERMAN = Language(
    code="de",
    name="German",
    sentences=_SENTENCES,
    read="Lies den folgenden Text. Danach kommt eine Frage.",
    question="Frage: ",
    answer="Antwort:",
    comma=", ",
    last_comma=" und ",
    stops=(".",),
    gap=" ",
    cities=split_names(_CITIES),
    words=split_names(_WORDS),
    writer=SentenceWriter(_SLOTS, _PATTERNS),
)
