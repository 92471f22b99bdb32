"""French. A key stands behind "à", which unlike "de" has one form before every name."""

from __future__ import annotations

from mta_eval.tasks.languages.pack import Language, NeedleSentences, split_names
from mta_eval.tasks.languages.writing import SentenceWriter

_CITIES = """Amsterdam|Ankara|Anvers|Athènes|Barcelone|Belgrade|Berlin|Bogota|Bordeaux|Boston|Bruxelles|
Bucarest|Budapest|Chicago|Copenhague|Cracovie|Dakar|Dublin|Édimbourg|Florence|Gênes|Genève|Glasgow|Grenoble|
Hambourg|Hanoï|Helsinki|Istanbul|Jakarta|Kinshasa|Lausanne|Leipzig|Lisbonne|Londres|Lyon|Madrid|Marrakech|
Marseille|Milan|Montréal|Moscou|Munich|Nairobi|Nantes|Naples|Oslo|Palerme|Pékin|Porto|Prague|Québec|Reykjavik|
Riga|Rotterdam|Séville|Sofia|Stockholm|Strasbourg|Stuttgart|Tallinn|Tokyo|Toronto|Toulouse|Tunis|Turin|Varsovie|
Venise|Vienne|Vilnius|Zagreb|Zurich"""

_WORDS = """abricot|accordéon|aigle|ananas|antilope|aubergine|autruche|avalanche|banjo|basson|baleine|boussole|
brocoli|cactus|caméléon|canari|cannelle|chameau|clarinette|citrouille|comète|concombre|corail|crabe|crocodile|
cyclone|dauphin|dinosaure|écureuil|éléphant|émeraude|espadon|faucon|flamant|framboise|gazelle|geyser|gingembre|
girafe|gondole|gorille|guitare|hamac|harpe|hippopotame|homard|iguane|jaguar|kangourou|koala|lavande|léopard|
libellule|mandarine|méduse|microscope|moutarde|noisette|orchidée|papaye|parachute|pélican|perroquet|pieuvre|
pingouin|pyramide|rhubarbe|safran|scorpion|tambour|télescope|tornade|trombone|tulipe|vanille|violon|volcan|
xylophone|zeppelin"""

_SLOTS = {
    "who": """le menuisier|la voisine|un vieux pêcheur|ma grand-mère|l'horloger|la boulangère|le veilleur de nuit|
un voyageur inconnu|le meunier|la jardinière|le berger|l'institutrice|un jeune peintre|le facteur""",
    "did": """a réparé|a décrit|a cherché|a oublié|a vendu|a admiré|a dessiné|a caché|a nettoyé|a retrouvé|
a emprunté|a perdu""",
    "what": """une échelle en bois|la carte déchirée|un panier de poires|le vieux coffre|une lampe de cuivre|
le miroir brisé|la barque étroite|un manteau de laine|le rideau bleu|une cuillère d'argent|la corde usée|
un pot de miel|le cahier jauni|la scie rouillée""",
    "where": """près de la rivière|derrière la grange|au bord de la forêt|sous le pont|sur la place|
à côté du puits|au port|dans le grenier|devant la chapelle|au carrefour|dans l'atelier|de l'autre côté du pré""",
    "when": """de bon matin|après l'orage|à la fin de l'automne|peu avant minuit|par une chaude soirée|
pendant la moisson|au cœur de l'hiver|quelques semaines plus tard|avant les premières neiges|
le jour de la foire|sans un mot|presque par hasard""",
    "thing": """le vent|la lumière|le silence|l'odeur des feuilles mouillées|la vieille chanson|
le bruit du marché|la pluie|l'ombre du chêne""",
    "was": """ne ressemblait à rien de connu|changeait d'heure en heure|revenait toujours|apaisait tout le monde|
semblait venir de loin|ne durait jamais longtemps|donnait envie de rester|rappelait l'enfance""",
    "why": """parce que la route était fermée|alors qu'il se faisait tard|pour que les autres puissent se reposer|
parce que personne d'autre ne le voulait|sans que personne le remarque|parce que l'eau montait encore|
comme on l'avait toujours fait""",
    "thought": """un bon outil fait la moitié du travail|le chemin le plus droit n'est pas toujours le plus court|
les petites réparations évitent les grandes|personne n'apprend un métier en une saison|
la plupart des querelles naissent d'un malentendu|ce qui est bon marché peut coûter cher|
mieux vaut demander que deviner|il y a un bon moment pour chaque tâche""",
}
_PATTERNS = (
    "<who> <did> <what> <where>.",
    "<when>, <who> <did> <what>.",
    "<who> <did> <what>, <why>.",
    "<where>, <thing> <was>.",
    "<thing> <was>, et <who> <did> <what>.",
    "<who> disait souvent : <thought>.",
    "<thought>, pensait <who>.",
    "<when>, <who> <did> <what> <where>.",
    "comme <thing> <was>, <who> <did> <what>.",
    "personne ne savait pourquoi <who> <did> <what> <when>.",
    "un jour, <where>, <who> <did> <what>.",
    "<when>, <thing> <was>.",
)

_SENTENCES = {
    "number": NeedleSentences(
        needle="Le nombre magique associé à {key} est {value}.",
        stem_of_several="Les nombres magiques associés à {key} sont",
        hidden="Le texte suivant cache des nombres magiques. Lis-le et retiens-les.",
        ask_one="Quel est le nombre magique associé à {key} ? Réponds seulement par le nombre.",
        ask_several="Quels sont les nombres magiques associés à {key} ? Réponds seulement par les nombres.",
    ),
    "word": NeedleSentences(
        needle="Le mot magique associé à {key} est {value}.",
        stem_of_several="Les mots magiques associés à {key} sont",
        hidden="Le texte suivant cache des mots magiques. Lis-le et retiens-les.",
        ask_one="Quel est le mot magique associé à {key} ? Réponds seulement par le mot.",
        ask_several="Quels sont les mots magiques associés à {key} ? Réponds seulement par les mots.",
    ),
    "code": NeedleSentences(
        needle="Le code magique associé à {key} est {value}.",
        stem_of_several="Les codes magiques associés à {key} sont",
        hidden="Le texte suivant cache des codes magiques. Lis-le et retiens-les.",
        ask_one="Quel est le code magique associé à {key} ? Réponds seulement par le code.",
        ask_several="Quels sont les codes magiques associés à {key} ? Réponds seulement par les codes.",
    ),
    "phrase": NeedleSentences(
        needle="La phrase magique associée à {key} est {value}.",
        stem_of_several="Les phrases magiques associées à {key} sont",
        hidden="Le texte suivant cache des phrases magiques. Lis-le et retiens-les.",
        ask_one="Quelle est la phrase magique associée à {key} ? Réponds seulement par la phrase.",
        ask_several="Quelles sont les phrases magiques associées à {key} ? Réponds seulement par les phrases.",
    ),
}

FRENCH = Language(
    code="fr",
    name="French",
    sentences=_SENTENCES,
    read="Lis le texte suivant. Il est suivi d'une question.",
    question="Question : ",
    answer="Réponse :",
    comma=", à ",
    last_comma=" et à ",
    stops=(".",),
    gap=" ",
    cities=split_names(_CITIES),
    words=split_names(_WORDS),
    writer=SentenceWriter(_SLOTS, _PATTERNS),
)
