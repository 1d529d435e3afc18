"""Scenes as data: what stands in `configs/scenes/<name>.yaml`, and what is shipped.

Places are shares of the picture, 0 to 1, so that one file fits every size of the programme.
"""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from streamer.config.region import LocalNames
from streamer.config.service import Settings
from streamer.config.values import Id, fault, shown

SLATE_NAME = "slate"
"""Name of the slate, which no file may take."""
SIGN_NAME = "sign"
"""Name of the file with the place of the sign language window; not a scene."""
SMALLEST_SIDE = 0.1
"""Share of the picture that a window is wide and high at least: less is not recognised."""
SIGN_AREA = 1 / 6
"""Share of the picture's area that the sign language window has at least."""
MOST_WINDOWS = 16
"""Windows of a grid at most."""


class Show(StrEnum):
    """What is in a window."""

    HALL = "hall"
    SITE = "site"
    """The site that the scene is taken with: `split:<site id>`."""
    FLOOR = "floor"
    """Whoever has the floor; the hall while nobody was given it."""
    SLIDES = "slides"


class Heard(StrEnum):
    """Whose sound a scene lets be heard. Whoever has the floor is heard anyway."""

    HALL = "hall"
    SITE = "site"
    """The site that the scene is taken with."""
    SITES = "sites"
    """Every linked site."""
    SLIDES = "slides"


class Fit(StrEnum):
    """How a picture is brought into a window of another shape."""

    COVER = "cover"
    """It fills the window; what stands over at the sides is cut off."""
    CONTAIN = "contain"
    """All of it is seen, with bars where the window is longer."""


class Takes(StrEnum):
    SITE = "site"


class Arrange(StrEnum):
    WINDOWS = "windows"
    """As the file says."""
    GRID = "grid"
    """By itself: the hall and every linked site, up to 16 windows in 1 to 4 columns."""


def _box(value: Any) -> Any:
    """Four shares inside the picture, and large enough to see something."""
    good = "write [left, top, width, height] as shares of the picture, such as [0, 0, 0.5, 0.5]"
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 4 or any(type(one) not in (int, float) for one in numbers):
        raise fault(f"{shown(value)} is not a place of the picture", good)
    left, top, width, height = numbers
    if not (min(left, top) >= 0 and left + width <= 1.0001 and top + height <= 1.0001):
        raise fault(
            "a part of this window is outside of the picture",
            "let left + width and top + height be 1 at most, and nothing less than 0",
        )
    if min(width, height) < SMALLEST_SIDE:
        raise fault(
            "this window is too small to see anything in it",
            f"let width and height be {SMALLEST_SIDE:g} at least",
        )
    return tuple(map(float, numbers))


Shares = Annotated[tuple[float, float, float, float], BeforeValidator(_box)]
"""Left, top, width and height of a place, as shares of the picture."""


class Window(Settings):
    """One window of a scene."""

    show: Show = Field(description="hall, site, floor or slides.")
    box: Shares = Field(description="[left, top, width, height], each a share of the picture.")
    fit: Fit = Field(
        default=Fit.COVER, description="cover: fills the window. contain: all of it is seen."
    )
    label: bool = Field(
        default=False, description="Whether the name of what it shows stands in its corner."
    )

    @property
    def full(self) -> bool:
        """It is the whole picture."""
        return self.box == (0.0, 0.0, 1.0, 1.0)


class Layout(Settings):
    """One scene: `configs/scenes/<name>.yaml`."""

    name: Id = Field(description="How commands spell the scene; the name of the file.")
    names: LocalNames = Field(description="What people call it.")
    takes: Takes | None = Field(
        default=None,
        description="site: the scene is taken with a site, `split:<site id>`; nothing otherwise.",
    )
    arrange: Arrange = Field(
        default=Arrange.WINDOWS,
        description="windows: as listed below. grid: hall and linked sites, by itself.",
    )
    windows: tuple[Window, ...] = Field(
        default=(), description="From the back to the front: a later one lies over an earlier one."
    )
    with_sign: tuple[Window, ...] = Field(
        default=(),
        description="The windows where the hall sends sign language; the same when left out.",
    )
    heard: tuple[Heard, ...] | None = Field(
        default=None,
        description="hall, site, sites, slides; who is shown is heard when it is left out.",
    )

    @model_validator(mode="after")
    def _has_windows(self) -> Self:
        if self.arrange is Arrange.GRID and (self.windows or self.with_sign):
            raise fault(
                "a grid arranges its windows by itself", "remove them, or remove 'arrange: grid'",
                "windows" if self.windows else "with_sign",
            )  # fmt: skip
        if self.arrange is Arrange.WINDOWS and not self.windows:
            raise fault("this scene shows nothing", "add 'windows:' with one entry at least")
        return self

    def arranged(self, *, sign: bool) -> tuple[Window, ...]:
        """The windows, where a sign language window is shown with them or not."""
        return self.with_sign if sign and self.with_sign else self.windows


class SignPlace(Settings):
    """Where the sign language window is: `configs/scenes/sign.yaml`."""

    names: LocalNames = Field(description="What people call it.")
    box: Shares = Field(description="[left, top, width, height]; a sixth of the picture at least.")
    fit: Fit = Field(default=Fit.COVER, description="cover or contain, as in a scene.")

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        if self.box[2] * self.box[3] < SIGN_AREA:
            raise fault(
                f"this is {self.box[2] * self.box[3]:.3f} of the picture; signs are not read well",
                "let width x height be 0.167 at least, such as 0.3 x 0.56", "box",
            )  # fmt: skip
        return self


class Scenes(Settings):
    """All scenes of a configuration: the shipped ones, with those of the files in their place."""

    layouts: tuple[Layout, ...] = Field(description="By their names.")
    sign: SignPlace = Field(description="Place of the sign language window.")

    def over(self, layouts: tuple[Layout, ...], sign: SignPlace | None) -> "Scenes":
        """These, with `layouts` instead of those of the same names, or behind them."""
        own = {layout.name: layout for layout in layouts}
        kept = tuple(own.pop(layout.name, layout) for layout in self.layouts)
        return Scenes(layouts=kept + tuple(own.values()), sign=sign or self.sign)


def _window(show: Show, *box: float, fit: Fit = Fit.COVER, label: bool = False) -> Window:
    return Window(show=show, box=box, fit=fit, label=label)  # type: ignore[arg-type]


def _layout(name: str, kk: str, ru: str, en: str, **more: Any) -> Layout:
    return Layout(name=name, names=LocalNames(kk=kk, ru=ru, en=en), **more)


# The windows of two who talk have the shape 4:3: a camera keeps who speaks in the middle three
# quarters of its picture, and the quarter that is cut off makes both windows a third larger.
SHIPPED = Scenes(
    layouts=(
        _layout("hall", "Зал", "Зал", "Hall", windows=(_window(Show.HALL, 0, 0, 1, 1),)),
        _layout(
            "site",
            "Аудан",
            "Район",
            "Site",
            takes=Takes.SITE,
            windows=(_window(Show.SITE, 0, 0, 1, 1),),
            heard=(Heard.SITE, Heard.HALL),
        ),
        _layout(
            "split",
            "Зал және аудан",
            "Зал и район",
            "Hall and site",
            takes=Takes.SITE,
            windows=(
                _window(Show.HALL, 0.02, 0.13, 0.475, 0.633, label=True),
                _window(Show.SITE, 0.505, 0.13, 0.475, 0.633, label=True),
            ),
            with_sign=(
                _window(Show.HALL, 0.02, 0.19, 0.32, 0.427, label=True),
                _window(Show.SITE, 0.35, 0.19, 0.32, 0.427, label=True),
            ),
        ),
        _layout(
            "pip",
            "Аудан, бұрышта зал",
            "Район, зал в углу",
            "Site, the hall in a corner",
            takes=Takes.SITE,
            windows=(
                _window(Show.SITE, 0, 0, 1, 1),
                _window(Show.HALL, 0.71, 0.13, 0.265, 0.265, label=True),
            ),
            with_sign=(
                _window(Show.SITE, 0, 0, 1, 1),
                _window(Show.HALL, 0.685, 0.12, 0.3, 0.275, label=True),
            ),
        ),
        _layout(
            "grid",
            "Барлығы",
            "Все участники",
            "Everybody",
            arrange=Arrange.GRID,
            heard=(Heard.HALL, Heard.SITES),
        ),
        _layout(
            "slides",
            "Слайдтар",
            "Слайды",
            "Slides",
            windows=(
                _window(Show.SLIDES, 0.02, 0.1, 0.67, 0.67, fit=Fit.CONTAIN),
                _window(Show.FLOOR, 0.705, 0.1, 0.275, 0.367, label=True),
            ),
            with_sign=(
                _window(Show.SLIDES, 0.02, 0.1, 0.65, 0.65, fit=Fit.CONTAIN),
                _window(Show.FLOOR, 0.685, 0.03, 0.3, 0.365, label=True),
            ),
        ),
    ),
    sign=SignPlace(
        names=LocalNames(kk="Ымдау тілі", ru="Жестовый язык", en="Sign language"),
        box=(0.685, 0.41, 0.3, 0.56),
    ),
)
"""What is there without any file; configs/scenes/ says the same, with explanations."""
