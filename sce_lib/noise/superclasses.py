"""CIFAR-100's twenty superclasses of five classes each, as its authors publish them."""

CIFAR100_SUPERCLASSES: dict[str, tuple[str, ...]] = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}


def cifar100_groups() -> tuple[tuple[int, ...], ...]:
    """Return the fine ids of each superclass, 20 × 5; both kinds of id are alphabetical.

    Examples
    --------
    >>> groups = cifar100_groups()
    >>> len(groups), groups[0]
    (20, (4, 30, 55, 72, 95))
    """
    names = sorted(name for members in CIFAR100_SUPERCLASSES.values() for name in members)
    return tuple(tuple(names.index(name) for name in members) for members in CIFAR100_SUPERCLASSES.values())


def consecutive_groups(num_classes: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Return blocks of consecutive ids.

    Examples
    --------
    >>> consecutive_groups(6, 3)
    ((0, 1, 2), (3, 4, 5))
    """
    return tuple(tuple(range(start, start + size)) for start in range(0, num_classes, size))
