"""Chinese, in simplified characters. There is no plural, and no space between words."""

from __future__ import annotations

from mta_eval.tasks.languages.pack import Language, NeedleSentences, split_names
from mta_eval.tasks.languages.writing import SentenceWriter

_CITIES = """里加|奥斯陆|汉堡|维也纳|苏黎世|哥本哈根|里斯本|布拉格|华沙|布达佩斯|布加勒斯特|雅典|罗马|马德里|
巴塞罗那|塞维利亚|瓦伦西亚|米兰|都灵|那不勒斯|威尼斯|佛罗伦萨|热那亚|慕尼黑|莱比锡|德累斯顿|斯图加特|法兰克福|
科隆|阿姆斯特丹|鹿特丹|布鲁塞尔|安特卫普|日内瓦|里昂|马赛|图卢兹|斯特拉斯堡|伦敦|爱丁堡|格拉斯哥|都柏林|
赫尔辛基|斯德哥尔摩|哥德堡|塔林|维尔纽斯|莫斯科|基辅|伊斯坦布尔|安卡拉|开罗|突尼斯|内罗毕|达喀尔|开普敦|孟买|
加尔各答|新德里|曼谷|河内|雅加达|马尼拉|首尔|东京|大阪|悉尼|墨尔本|奥克兰|多伦多|蒙特利尔|温哥华|芝加哥|波士顿|
西雅图|利马|圣地亚哥"""

_WORDS = """菠萝|芒果|椰子|榴莲|火龙果|猕猴桃|蓝莓|西瓜|南瓜|黄瓜|茄子|西兰花|生姜|八角|肉桂|香草|薰衣草|郁金香|
仙人掌|兰草|钢琴|小提琴|大提琴|吉他|竖琴|长笛|单簧管|萨克斯|手风琴|木琴|大象|长颈鹿|斑马|犀牛|骆驼|袋鼠|考拉|
企鹅|鹦鹉|孔雀|火烈鸟|鳄鱼|蜥蜴|变色龙|章鱼|海豚|龙虾|螃蟹|水母|珊瑚|蝎子|蜻蜓|瓢虫|火山|冰川|彗星|流星|龙卷风|
雪崩|金字塔|望远镜|显微镜|降落伞|热气球|潜水艇|滑板|指南针|风筝|翡翠|琥珀|石英|恐龙"""

_SLOTS = {
    "who": """老木匠|邻居家的女儿|年轻的画家|渔夫|钟表匠|磨坊主|牧羊人|我的外婆|守夜人|一位陌生的旅人|乡村医生|
书店老板|园丁|铁匠""",
    "did": """修好了|画下了|找到了|忘记了|卖掉了|擦亮了|藏起了|丢失了|借走了|送走了|收好了|带回了""",
    "what": """那架木梯|一张旧地图|一篮梨子|那面破镜子|一盏铜灯|几封旧信|那条窄船|一件羊毛大衣|蓝色的窗帘|
一把银勺|那根长绳|一罐蜂蜜|发黄的笔记本|生锈的锯子""",
    "where": """在河边|在谷仓后面|在森林边上|在桥下|在广场上|在井旁|在码头|在阁楼里|在小教堂前|在十字路口|
在作坊里|在草地那头""",
    "when": """清晨|暴雨过后|深秋的一天|临近午夜|一个温暖的傍晚|收割的时候|那个漫长的冬天|几个星期以后|
第一场雪之前|赶集那天|雾散的时候|钟声响起时""",
    "thing": """风|阳光|寂静|湿树叶的气味|那首老歌|集市的喧闹|雨声|橡树的影子""",
    "was": """难以形容|让人安心|好像来自远方|从来不会持久|让人想起童年|每天都不一样|格外轻柔|使人想留下来""",
    "thought": """好的工具能省一半力气|直路不一定最近|小修小补能避免大麻烦|谁也不能一天学会一门手艺|
多数争吵都源于误会|便宜的东西往往不耐用|问一问总比猜测好|每件事都有合适的时候""",
}
_PATTERNS = (
    "<when>，<who><where><did><what>。",
    "<who><where><did><what>。",
    "<when>，<thing><was>。",
    "<thing><was>，于是<who><did><what>。",
    "<who>常说，<thought>。",
    "<thought>，这是<who>告诉我们的。",
    "谁也不知道<who>为什么<did><what>。",
    "因为<thing><was>，<who>没有离开。",
    "虽然路已经封了，<who>还是<did><what>。",
    "听说，<when>，<who><did><what>。",
    "<who><did><what>，<who>却什么也没说。",
)

_SENTENCES = {
    "number": NeedleSentences(
        needle="{key}的神奇数字是{value}。",
        stem_of_several="{key}的神奇数字是",
        hidden="下面的文字里藏着一些神奇数字。请阅读并记住它们。",
        ask_one="{key}的神奇数字是什么？请只回答数字。",
        ask_several="{key}的神奇数字分别是什么？请只回答这些数字。",
    ),
    "word": NeedleSentences(
        needle="{key}的神奇词语是{value}。",
        stem_of_several="{key}的神奇词语是",
        hidden="下面的文字里藏着一些神奇词语。请阅读并记住它们。",
        ask_one="{key}的神奇词语是什么？请只回答词语。",
        ask_several="{key}的神奇词语分别是什么？请只回答这些词语。",
    ),
    "code": NeedleSentences(
        needle="{key}的神奇代码是{value}。",
        stem_of_several="{key}的神奇代码是",
        hidden="下面的文字里藏着一些神奇代码。请阅读并记住它们。",
        ask_one="{key}的神奇代码是什么？请只回答代码。",
        ask_several="{key}的神奇代码分别是什么？请只回答这些代码。",
    ),
    "phrase": NeedleSentences(
        needle="{key}的神奇短语是{value}。",
        stem_of_several="{key}的神奇短语是",
        hidden="下面的文字里藏着一些神奇短语。请阅读并记住它们。",
        ask_one="{key}的神奇短语是什么？请只回答短语。",
        ask_several="{key}的神奇短语分别是什么？请只回答这些短语。",
    ),
}

CHINESE = Language(
    code="zh",
    name="Chinese",
    sentences=_SENTENCES,
    read="请阅读下面的文字。文字之后有一个问题。",
    question="问题：",
    answer="回答：",
    comma="、",
    last_comma="和",
    stops=("。", "."),
    gap="",
    cities=split_names(_CITIES),
    words=split_names(_WORDS),
    writer=SentenceWriter(_SLOTS, _PATTERNS, gap=""),
    needle_tokens=120,
)
