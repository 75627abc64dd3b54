"""Walking a tree of folders in pages."""

import random

from accesses.providers.vault.walking import FOLDERS, SHOWN, Walk


class Tree:
    """Folders as Vault lists them, and how often."""

    def __init__(self, names):
        self.names, self.asked = names, []

    def keys(self, folder, is_first):
        self.asked.append(folder)
        rests = [name.removeprefix(folder) for name in self.names if name.startswith(folder)]
        keys = {rest.partition("/")[0] + ("/" if "/" in rest else "") for rest in rests}
        return random.Random(1).sample(sorted(keys), len(keys))


def pages(tree, prefix=""):
    walk, cursor, more = Walk(prefix, tree.keys), "", True
    while more:
        names, cursor = walk.on(cursor)
        more = bool(cursor)
        yield names


def make_names(count):
    chance = random.Random(3)
    parts = ["a", "a-b", "b", "B", "0", "ü", "a.b", "zz"]
    return sorted({"/".join(chance.choices(parts, k=chance.randrange(1, 6))) + "/x" for _ in range(count)})


def test_every_name_comes_once_in_order():
    names = make_names(3000)

    found = list(pages(Tree(names)))

    assert [name for page in found for name in page] == names
    assert max(map(len, found)) <= SHOWN


def test_a_prefix_asks_for_no_other_folder():
    tree = Tree(["a/b/c1", "a/b/c2", "a/d/e", "z/y"])

    found = list(pages(tree, "a/b/c"))

    assert found == [["a/b/c1", "a/b/c2"]]
    assert tree.asked == ["a/b/"]


def test_a_page_asks_for_a_bounded_number_of_folders():
    tree = Tree([f"f{number:04}/{number}" for number in range(1000)])
    walk = Walk("", tree.keys)

    names, cursor = walk.on("")

    assert len(tree.asked) <= FOLDERS
    assert cursor
    assert [name for page in pages(tree) for name in page] == tree.names
    assert names == tree.names[: len(names)]


def test_the_folders_on_the_way_are_asked_for_once():
    tree = Tree([f"deep/down/{number:04}" for number in range(450)])

    assert len(list(pages(tree))) == 5
    assert tree.asked == ["", "deep/", "deep/down/"]


def test_what_is_made_and_deleted_meanwhile_moves_nothing():
    tree = Tree([f"{number:04}" for number in range(250)])
    first, cursor = Walk("", tree.keys).on("")
    tree.names = ["0000-new", *tree.names[50:]]

    rest, after = Walk("", tree.keys).on(cursor)

    assert (first[-1], rest[0], len(rest), bool(after)) == ("0099", "0100", 100, True)


def test_a_tree_without_an_end_comes_to_one():
    walk, cursor, rounds = Walk("", lambda folder, is_first: ["a/", "x"]), "", 0
    while rounds < 100:
        names, cursor = walk.on(cursor)
        rounds += 1
        if not cursor:
            break

    assert not cursor
    assert len(names) <= SHOWN


def test_odd_keys_are_no_names():
    odd = ["", "/", "..", "../", ".", "a/b", "x\n", "ok"]

    assert Walk("", lambda folder, is_first: odd).on("") == (["ok"], "")
