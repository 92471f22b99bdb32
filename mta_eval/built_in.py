"""What mta-eval itself has: tables of name -> "module:Class" for the registry, which imports what is asked for."""

from __future__ import annotations

TASKS = {
    "letter_blocks": "mta_eval.tasks.letter_blocks:LetterBlocks",
    "niah": "mta_eval.tasks.niah:Niah",
    "babilong": "mta_eval.tasks.babilong:Babilong",
    "passkey": "mta_eval.tasks.passkey:Passkey",
    "variable_tracking": "mta_eval.tasks.ruler.variable_tracking:VariableTracking",
    "common_words": "mta_eval.tasks.ruler.common_words:CommonWords",
    "frequent_words": "mta_eval.tasks.ruler.frequent_words:FrequentWords",
    "multi_hop": "mta_eval.tasks.ruler.multi_hop:MultiHop",
    "ruler_niah": "mta_eval.tasks.ruler.ruler_niah:RulerNiah",
    "ruler_qa": "mta_eval.tasks.ruler.ruler_qa:RulerQA",
    "conjunction": "mta_eval.tasks.conjunction:Conjunction",
    "semantic": "mta_eval.tasks.semantic:Semantic",
    "associative_recall": "mta_eval.tasks.associative_recall:AssociativeRecall",
    "induction": "mta_eval.tasks.induction:Induction",
    "copy": "mta_eval.tasks.copy_words:Copy",
    "graph": "mta_eval.tasks.graph:Graph",
    "coreference_rounds": "mta_eval.tasks.coreference_rounds:CoreferenceRounds",
    "sorted_needles": "mta_eval.tasks.sorted_needles:SortedNeedles",
    "perplexity": "mta_eval.tasks.perplexity:Perplexity",
}
MODELS = {
    "window": "mta_eval.models.window:Window",
    "hf": "mta_eval.models.hf:HuggingFace",
    "copier": "mta_eval.models.baselines.copier:Copier",
    "bag": "mta_eval.models.baselines.bag:Bag",
    "chance": "mta_eval.models.baselines.chance:Chance",
    "smollm2": "mta_eval.models.smollm2:SmolLM2",
    "longheads": "mta_eval.models.extended:LongHeads",
    "stretched": "mta_eval.models.extended:ContextExtension",
    "letter-blocks-mta": "mta_eval.models.shipped:LetterBlocksMTA",
    "letter-blocks-transformer": "mta_eval.models.shipped:LetterBlocksTransformer",
    "needles-mta": "mta_eval.models.shipped:NeedlesMTA",
    "needles-transformer": "mta_eval.models.shipped:NeedlesTransformer",
    "needles-diff": "mta_eval.models.shipped:NeedlesDIFF",
    "needles-talking-heads": "mta_eval.models.shipped:NeedlesTalkingHeads",
    "vllm": "mta_eval.models.vllm:VLLM",
    "server": "mta_eval.models.server:Server",
    "harness": "mta_eval.models.harness:Harness",
    "tokenizer": "mta_eval.models.tokenizer:TokenizerOnly",
}
ATTENTION = {
    "transformer": "mta_eval.attention.transformer:TransformerAttention",
    "mta": "mta_eval.attention.mta:MTAAttention",
    "diff": "mta_eval.attention.diff:DiffAttention",
    "talking_heads": "mta_eval.attention.talking_heads:TalkingHeadsAttention",
}
DIAGNOSTICS = {
    "letter_blocks": "mta_eval.tunnel.rows.letter_blocks:LetterBlockRows",
    "associative_recall": "mta_eval.tunnel.rows.recall:AssociativeRecallRows",
    "two_condition_recall": "mta_eval.tunnel.rows.recall:TwoConditionRows",
    "induction": "mta_eval.tunnel.rows.copying:InductionRows",
    "copy": "mta_eval.tunnel.rows.copying:CopyRows",
    "selective_copy": "mta_eval.tunnel.rows.copying:SelectiveCopyRows",
    "variable_chains": "mta_eval.tunnel.rows.chains:VariableChainRows",
    "order": "mta_eval.tunnel.rows.order:OrderRows",
    "needles": "mta_eval.tunnel.rows.needles:NeedleRows",
}
LOGGERS = {
    "wandb": "mta_eval.integrations.loggers.wandb:Wandb",
    "mlflow": "mta_eval.integrations.loggers.mlflow:MLflow",
    "trackio": "mta_eval.integrations.loggers.trackio:Trackio",
    "tensorboard": "mta_eval.integrations.loggers.tensorboard:TensorBoard",
}
BASELINES = ("chance", "bag", "copier")  # models without weights, by which others are measured
