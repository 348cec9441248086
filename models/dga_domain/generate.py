"""Names as generators of malware make them: each family draws its alphabet, length and endings."""
import string

from web_attack.benign import WORDS

LETTERS = string.ascii_lowercase
VOWELS = "aeiou"
CONSONANTS = "bcdfghjklmnpqrstvwxyz"
TOPS = ("com net org info biz ru cc ws su xyz top pw in eu tk club online site icu space work click link de nl me co tv us cn bid win name mobi pro la cx bazar ga ml cf gq").split()
DYNAMIC = "ddns.net duckdns.org dyndns.org no-ip.org mooo.com hopto.org yi.org dynserv.com".split()
PLAIN = [word for word in WORDS if word.isalpha() and 3 <= len(word) <= 9]


def drawn(chance, length, alphabet):
    return "".join(chance.choice(alphabet) for _ in range(length))


def letters(chance):
    low = chance.randint(5, 24)
    return lambda: drawn(chance, chance.randint(low, low + 6), LETTERS)


def letters_of_one_length(chance):
    length = chance.randint(6, 28)
    return lambda: drawn(chance, length, LETTERS)


def hexadecimal(chance):
    length = chance.choice([8, 12, 16, 24, 32])
    return lambda: drawn(chance, length, "0123456789abcdef")


def letters_and_digits(chance):
    low = chance.randint(8, 22)
    return lambda: drawn(chance, chance.randint(low, low + 6), LETTERS + string.digits)


def some_letters(chance):
    alphabet, low = "".join(chance.sample(LETTERS, chance.randint(8, 20))), chance.randint(6, 18)
    return lambda: drawn(chance, chance.randint(low, low + 6), alphabet)


def syllables(chance):
    pattern, count = chance.choice(["CV", "CVC", "VC", "CCV", "CVV"]), chance.randint(3, 8)
    return lambda: "".join(chance.choice(CONSONANTS if one == "C" else VOWELS) for one in (pattern * count)[: chance.randint(6, 2 * count + 2)])


def digits_after(chance):
    low, digits = chance.randint(3, 8), chance.randint(1, 5)
    return lambda: drawn(chance, chance.randint(low, low + 3), LETTERS) + drawn(chance, digits, string.digits)


def digits_before(chance):
    return lambda: drawn(chance, chance.randint(1, 3), string.digits) + drawn(chance, chance.randint(6, 14), LETTERS)


def two_words(chance):
    count, between = chance.choice([2, 2, 3]), chance.choice(["", "", "", "-"])
    return lambda: between.join(chance.choice(PLAIN) for _ in range(count))


def misspelt_words(chance):
    def name():
        word = "".join(chance.choice(PLAIN) for _ in range(2))
        return (word[:-1] if chance.random() < 0.5 else word) + chance.choice(LETTERS)
    return name


def congruential(chance):
    """A linear congruential generator, as many families have one."""
    state, size = [chance.getrandbits(32)], chance.choice([23, 25, 26])

    def name():
        out = ""
        for _ in range(chance.randint(11, 18)):
            state[0] = (state[0] * 1103515245 + 12345) % (1 << 32)
            out += LETTERS[(state[0] >> 16) % size]
        return out
    return name


KINDS = [letters, letters, letters_of_one_length, letters_of_one_length, hexadecimal, letters_and_digits, some_letters, syllables, syllables, digits_after, digits_before, two_words, misspelt_words, congruential, congruential]


def names(chance, families, each):
    """Names of so many families."""
    for _ in range(families):
        name = chance.choice(KINDS)(chance)
        tops = chance.sample(TOPS, chance.randint(1, 6)) if chance.random() < 0.9 else chance.sample(DYNAMIC, 2)
        for _ in range(each):
            yield f"{name()}.{chance.choice(tops)}"


def benign(chance, count):
    """Names that machines and short words make, and that are harmless."""
    mixed = LETTERS + string.digits
    for _ in range(count):
        word, other = chance.choice(PLAIN), chance.choice(PLAIN)
        yield chance.choice([
            f"d{drawn(chance, 13, mixed)}.cloudfront.net", f"e{drawn(chance, 5, string.digits)}.dsca.akamaiedge.net", f"{drawn(chance, 2, LETTERS)}.{word}.com", f"{word}{other}.{chance.choice(['com', 'net', 'org', 'io', 'co', 'de'])}",
            f"{word}{drawn(chance, 2, string.digits)}.com", f"cdn-{word}.{other}.net", f"{word}-{other}.{chance.choice(['com', 'org', 'de', 'fr'])}", f"{drawn(chance, 3, LETTERS)}.{chance.choice(['com', 'net', 'org', 'de'])}",
            f"{drawn(chance, 2, LETTERS)}{word}.com", f"{word[:4]}{other[:4]}.com", f"www.{word}.{chance.choice(['co.uk', 'com.br', 'com.au'])}",
        ])
