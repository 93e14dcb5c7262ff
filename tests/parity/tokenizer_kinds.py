"""Tokenizers of the kinds that public models use, trained here on a small corpus, and text to try them on."""

import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
# GPT-4o's, which no matcher by hand exists for
O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)

SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "accented": "àâäçéèêëîïôöùûüÿñßøåæœłžščřőűğıİŉǰǅꞗﬁ",
    "greek": "αβγδεζηθικλμνξοπρσςτυφχψωΑΒΓΔΩάέήίόύώἀῃ",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяЁёЇїґ",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئىًٌٍَُِّْ",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשתםןףץְֱִֵֶַָֹּ",
    "devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौ्ंःँक़",
    "bengali": "অআইঈকখগঘচছজঝটঠডঢতথদধনপফবভমযরলশষসহািীুূেৈোৌ্ৎড়",
    "tamil": "அஆஇஈஉஊகஙசஞடணதநபமயரலவழளறனாிீுூெேைொோௌ்",
    "thai": "กขคงจฉชซญดตถทนบปผฝพฟภมยรลวศสหอฮะาิีึืุูเแโใไ็่้๊๋์",
    "han": "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后𠀀𪚥",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもアイウエオカキクケコガギグパピプー゛゜",
    "hangul": "가나다라마바사아자차카타파하한국어입니다" + "\u1112\u1161\u11ab",
    "emoji": "😀😃🎉🚀👍🏽👨‍👩‍👧‍👦🏳️‍🌈🇩🇪❤️☺︎1️⃣",
    "marks": "e\u0301a\u0308o\u0323\u0302q\u0307\u0323A\u030a\u212b\u1e9b\u0323",
    "digits": "0123456789٠١٢٣४५६²³½ⅧⅫ①",
    "symbols": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»“”‘’…—–·•€£¥§©®™°±×÷≠≤∞∑√→←▁﹏‿",
    "odd": "\u200b\u200c\u200d\u00ad\ufeff\u180e\u017f\u212a\x00\x01\x1f\x7f\u0085\u2028\ufffd\ue000",
}
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\n ", "\u00a0", "\u3000", "\u2003", " \t ", "\r", "\x0b"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'LL", "'D", "'ſ", "'", "''", "’s"]
SPECIALS = ["<|endoftext|>", "<|begin_of_text|>", "<s>", "</s>", "<unk>", "<|im_start|>", "<0x41>", "[MASK]", "<pad>", "<|tool"]

WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which
one you were all her she there would their we him been has when who will no more if out so up said what its about than into
them can only other time new some could these two may first then do any like my now over such our man me even most made after
also did many off before must well back through years where much your way down should because long each just state those
people too mr how little good world make very year still see own work men day get here old between life both under three never
learning rate schedules gradients are accumulated before the optimizer steps don't can't it's I'm you've they'll he'd""".split()


def words(rng, script, count):
    letters = SCRIPTS[script]
    return ["".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(count)]


def corpus(seed=1):
    """Sentences with a skewed choice of words, so that there is something to merge."""
    rng = random.Random(seed)
    vocabulary = {name: words(rng, name, 60) for name in SCRIPTS if name not in ("odd", "digits")}
    vocabulary["latin"] = WORDS
    for _ in range(6000):
        name = "latin" if rng.random() < 0.6 else rng.choice(list(vocabulary))
        pool = vocabulary[name]
        line = [pool[min(int(rng.expovariate(0.08)), len(pool) - 1)] for _ in range(rng.randint(3, 14))]
        if rng.random() < 0.3:
            line.append(str(rng.randint(0, 10 ** rng.randint(1, 7))))
        yield (" " if rng.random() < 0.9 else "  ").join(line) + rng.choice([".", "!", "?", ",\n", "...", "\r\n", "  "])


def fuzz(seed, characters):
    """Texts of many kinds, `characters` in all."""
    rng = random.Random(seed)
    names = list(SCRIPTS)
    common = list(corpus(seed=1))[:500]
    yield ""
    for special in [*SPACES, *CONTRACTIONS, *SPECIALS, "a" * 400, " " * 300 + "x", "\n" * 100, "中" * 300, "7" * 50]:
        yield special
    total = 0
    while total < characters:
        parts = []
        for _ in range(rng.randint(1, 60)):
            draw = rng.random()
            if draw < 0.35:
                parts.append(words(rng, rng.choice(names), 1)[0])
            elif draw < 0.55:
                parts.append(rng.choice(WORDS))
            elif draw < 0.62:
                parts.append(rng.choice(common))
            elif draw < 0.85:
                parts.append(rng.choice(SPACES))
            elif draw < 0.9:
                parts.append(rng.choice(CONTRACTIONS))
            elif draw < 0.93:
                parts.append(rng.choice(SPECIALS))
            elif draw < 0.97:
                parts.append(str(rng.randint(0, 10 ** rng.randint(1, 12))))
            else:
                parts.append("".join(rng.choice(SCRIPTS[rng.choice(names)]) for _ in range(12)))
            if rng.random() < 0.5:
                parts.append(" ")
        text = "".join(parts)
        total += len(text)
        yield text


def byte_level(pre_tokenizer, specials, normalizer=None, ignore_merges=False, size=1500):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=specials, show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def gpt2(add_prefix_space=False):
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space), ["<|endoftext|>"])


def llama3():
    tokenizer = byte_level(split_then_bytes(LLAMA3), ["<|begin_of_text|>", "<|end_of_text|>"], ignore_merges=True)
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bos)]
            ),
        ]
    )
    # A token that merges don't reach: what ignore_merges is for.
    tokenizer.add_tokens(["Ġunreachable"])
    return tokenizer


def qwen2():
    tokenizer = byte_level(split_then_bytes(QWEN), [], normalizer=normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    return tokenizer


def o200k():
    return byte_level(split_then_bytes(O200K), ["<|endoftext|>"])


def falcon():
    return byte_level(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Punctuation("contiguous"),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
                pre_tokenizers.Digits(individual_digits=False),
                pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
            ]
        ),
        ["<|endoftext|>"],
    )


def sentence_piece(metaspace, byte_fallback=True, fuse_unk=True, bos=True):
    """`metaspace`: None for the legacy normalizer, else the pre-tokenizer."""
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256) if byte_fallback)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte_fallback, fuse_unk=fuse_unk))
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=1200, limit_alphabet=200, special_tokens=specials, show_progress=False
    )
    trained.train_from_iterator(corpus(), trainer)
    import json

    state = json.loads(trained.to_str())["model"]
    tokenizer.model = models.BPE(
        vocab=state["vocab"],
        merges=[tuple(m) for m in state["merges"]],
        unk_token="<unk>",
        byte_fallback=byte_fallback,
        fuse_unk=fuse_unk,
    )
    if metaspace is None:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = metaspace
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
        )
    return tokenizer


def metaspace(scheme, split):
    def make():
        tokenizer = sentence_piece(pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split))
        if split:
            tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
        return tokenizer

    return make


def words_with_flags():
    """Added tokens with every flag, a lower-casing normalizer, and the general pre-tokenizers."""
    tokenizer = sentence_piece(
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True)]),
        byte_fallback=False,
        fuse_unk=False,
        bos=False,
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()]
    )
    tokenizer.add_tokens(
        [
            AddedToken("<|tool", lstrip=True, rstrip=True, normalized=False),
            AddedToken("[MASK]", lstrip=True, special=True),
            AddedToken("<pad>", rstrip=True, special=True, normalized=False),
            AddedToken("THE", normalized=True),
            AddedToken("of", normalized=True, single_word=True),
            AddedToken("and", normalized=False, single_word=True),
            AddedToken("'ll", normalized=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return tokenizer


def plain():
    """No decoder, unfused unknowns, Whitespace and Punctuation."""
    tokenizer = sentence_piece(
        pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_previous")]),
        byte_fallback=False,
        fuse_unk=True,
        bos=False,
    )
    tokenizer.decoder = None
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)]
    )
    return tokenizer


def nemotron():
    """Mistral NeMo's Tekken and what NVIDIA built on it: GPT-4o's expression with single digits, and a first token."""
    tokenizer = byte_level(split_then_bytes(O200K.replace(r"\p{N}{1,3}", r"\p{N}")), ["<unk>", "<s>", "</s>"], ignore_merges=True)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def mistral():
    """Mistral and Mixtral, instructed."""
    tokenizer = sentence_piece(pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
    tokenizer.add_special_tokens(["[INST]", "[/INST]"])
    return tokenizer


KINDS = {
    "gpt2": gpt2,
    "gpt2_prefix": lambda: gpt2(add_prefix_space=True),
    "llama3": llama3,
    "qwen2": qwen2,
    "o200k": o200k,
    "falcon": falcon,
    "nemotron": nemotron,
    "mistral": mistral,
    "llama2_legacy": lambda: sentence_piece(None),
    "metaspace_first": metaspace("first", False),
    "metaspace_always": metaspace("always", True),
    "metaspace_never": metaspace("never", True),
    "metaspace_first_split": metaspace("first", True),
    "flags": words_with_flags,
    "plain": plain,
}
