"""Spanish. No city begins with an I, before which "y" would be "e"."""

from __future__ import annotations

from mta_eval.tasks.languages.pack import Language, NeedleSentences, split_names
from mta_eval.tasks.languages.writing import SentenceWriter

_CITIES = """Ámsterdam|Ankara|Atenas|Barcelona|Basilea|Belgrado|Berlín|Bilbao|Bogotá|Boston|Bruselas|Bucarest|
Budapest|Caracas|Chicago|Copenhague|Cracovia|Dakar|Dublín|Edimburgo|Estambul|Estocolmo|Florencia|Ginebra|
Glasgow|Gotemburgo|Granada|Guayaquil|Hamburgo|Hanói|Helsinki|Kinsasa|Leipzig|Lima|Lisboa|Liverpool|Londres|Lyon|
Madrid|Managua|Marsella|Medellín|Milán|Montevideo|Montreal|Moscú|Múnich|Nairobi|Nápoles|Oslo|Palermo|Pamplona|
Pekín|Praga|Quito|Reikiavik|Riga|Róterdam|Santiago|Sevilla|Sofía|Stuttgart|Tallin|Tokio|Toronto|Toulouse|Turín|
Valencia|Varsovia|Venecia|Viena|Vilna|Yakarta|Zagreb|Zaragoza|Zúrich"""

_WORDS = """acordeón|aguacate|albaricoque|almendra|antílope|avalancha|avestruz|ballena|banjo|berenjena|brócoli|
brújula|búfalo|cactus|calabaza|camaleón|camello|canela|cangrejo|canguro|clarinete|cometa|coral|cocodrilo|ciclón|
delfín|dinosaurio|elefante|erizo|escorpión|esmeralda|fagot|flamenco|frambuesa|gacela|géiser|girasol|gorila|
guitarra|halcón|hamaca|hipopótamo|iguana|jaguar|jengibre|jirafa|koala|langosta|lavanda|leopardo|libélula|
mandarina|mapache|medusa|microscopio|mostaza|murciélago|níspero|oboe|orquídea|paracaídas|pelícano|pingüino|
pirámide|pistacho|pulpo|ruibarbo|saxofón|submarino|tambor|telescopio|tornado|tortuga|trombón|tulipán|vainilla|
violín|volcán|xilófono|zepelín"""

_SLOTS = {
    "who": """el carpintero|la vecina|un viejo pescador|mi abuela|el relojero|la panadera|el sereno|
un viajero desconocido|el molinero|la jardinera|el pastor|la maestra|un joven pintor|el cartero""",
    "did": """reparó|describió|buscó|olvidó|vendió|admiró|dibujó|escondió|limpió|encontró|perdió|pulió""",
    "what": """una escalera de madera|el mapa roto|una cesta de peras|el viejo baúl|una lámpara de cobre|
el espejo partido|la barca estrecha|un abrigo de lana|la cortina azul|una cuchara de plata|la cuerda gastada|
un tarro de miel|el cuaderno amarillento|la sierra oxidada""",
    "where": """junto al río|detrás del granero|al borde del bosque|debajo del puente|en la plaza|
al lado del pozo|en el puerto|en el desván|delante de la capilla|en el cruce de caminos|en el taller|
al otro lado del prado""",
    "when": """de madrugada|después de la tormenta|a finales del otoño|poco antes de medianoche|una tarde calurosa|
durante la cosecha|en pleno invierno|unas semanas más tarde|antes de las primeras nieves|el día de la feria|
sin decir palabra|casi por casualidad""",
    "thing": """el viento|la luz|el silencio|el olor a hojas mojadas|la vieja canción|el ruido del mercado|la lluvia|
la sombra del roble""",
    "was": """no se parecía a nada conocido|cambiaba de hora en hora|volvía siempre|calmaba a todos|
parecía venir de lejos|nunca duraba mucho|invitaba a quedarse|recordaba a la infancia""",
    "why": """porque el camino estaba cerrado|aunque ya era tarde|para que los demás descansaran|
porque nadie más quería hacerlo|sin que nadie se diera cuenta|porque el agua seguía subiendo|
como se había hecho siempre""",
    "thought": """una buena herramienta es la mitad del trabajo|el camino recto no siempre es el más corto|
los pequeños arreglos evitan los grandes|nadie aprende un oficio en una temporada|
casi todas las peleas empiezan por un malentendido|lo barato puede salir caro|es mejor preguntar que adivinar|
hay un buen momento para cada tarea""",
}
_PATTERNS = (
    "<who> <did> <what> <where>.",
    "<when>, <who> <did> <what>.",
    "<who> <did> <what>, <why>.",
    "<where>, <thing> <was>.",
    "<thing> <was>, y <who> <did> <what>.",
    "<who> decía a menudo que <thought>.",
    "<thought>, pensaba <who>.",
    "<when>, <who> <did> <what> <where>.",
    "como <thing> <was>, <who> <did> <what>.",
    "nadie sabía por qué <who> <did> <what> <when>.",
    "un día, <where>, <who> <did> <what>.",
    "<when>, <thing> <was>.",
)

_SENTENCES = {
    "number": NeedleSentences(
        needle="El número mágico de {key} es {value}.",
        stem_of_several="Los números mágicos de {key} son",
        hidden="El siguiente texto esconde unos números mágicos. Léelo y recuérdalos.",
        ask_one="¿Cuál es el número mágico de {key}? Responde solo con el número.",
        ask_several="¿Cuáles son los números mágicos de {key}? Responde solo con los números.",
    ),
    "word": NeedleSentences(
        needle="La palabra mágica de {key} es {value}.",
        stem_of_several="Las palabras mágicas de {key} son",
        hidden="El siguiente texto esconde unas palabras mágicas. Léelo y recuérdalas.",
        ask_one="¿Cuál es la palabra mágica de {key}? Responde solo con la palabra.",
        ask_several="¿Cuáles son las palabras mágicas de {key}? Responde solo con las palabras.",
    ),
    "code": NeedleSentences(
        needle="El código mágico de {key} es {value}.",
        stem_of_several="Los códigos mágicos de {key} son",
        hidden="El siguiente texto esconde unos códigos mágicos. Léelo y recuérdalos.",
        ask_one="¿Cuál es el código mágico de {key}? Responde solo con el código.",
        ask_several="¿Cuáles son los códigos mágicos de {key}? Responde solo con los códigos.",
    ),
    "phrase": NeedleSentences(
        needle="La frase mágica de {key} es {value}.",
        stem_of_several="Las frases mágicas de {key} son",
        hidden="El siguiente texto esconde unas frases mágicas. Léelo y recuérdalas.",
        ask_one="¿Cuál es la frase mágica de {key}? Responde solo con la frase.",
        ask_several="¿Cuáles son las frases mágicas de {key}? Responde solo con las frases.",
    ),
}

SPANISH = Language(
    code="es",
    name="Spanish",
    sentences=_SENTENCES,
    read="Lee el siguiente texto. Después viene una pregunta.",
    question="Pregunta: ",
    answer="Respuesta:",
    comma=", ",
    last_comma=" y ",
    stops=(".",),
    gap=" ",
    cities=split_names(_CITIES),
    words=split_names(_WORDS),
    writer=SentenceWriter(_SLOTS, _PATTERNS),
)
