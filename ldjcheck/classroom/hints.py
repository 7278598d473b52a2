"""One question for each mistake: it leads to the answer and does not give it away."""

from __future__ import annotations

HINTS: tuple[tuple[str, str], ...] = (
    (
        "LDJ101",
        "Take an input of two entries instead of one. By what must each term of your "
        "ldj change, and which one does not?",
    ),
    (
        "LDJ102",
        "How many numbers of one image are scaled by the factor of one channel? Where "
        "does your ldj know of them?",
    ),
    (
        "LDJ103",
        "Write down which axes your count runs over. Which of them does one sample have?",
    ),
    (
        "LDJ104",
        "Take a map that makes everything larger. Should its ldj be above or below 0, "
        "and what does yours say?",
    ),
    (
        "LDJ105",
        "The determinant of a diagonal matrix is a product. What does the logarithm make "
        "of a product?",
    ),
    (
        "LDJ106",
        "Put one more sample into the batch. Should the ldj of the others change?",
    ),
    ("LDJ107", "Which logarithm undoes `exp`, and which one do you take?"),
    (
        "LDJ108",
        "What is the determinant of a diagonal matrix, and what of it is asked for: the "
        "determinant, or its logarithm?",
    ),
    (
        "LDJ109",
        "Can what you take the logarithm of be negative? What is a volume then?",
    ),
    (
        "LDJ110",
        "List the steps of the map, one under the other, and beside each what it adds to "
        "the ldj. Which line of the list stays empty?",
    ),
    (
        "LDJ111",
        "Name, for each term of your ldj, the step of the map that it belongs to. Which "
        "one belongs to none?",
    ),
    (
        "LDJ112",
        "A derivative is taken at the point where a step begins. What does your variable "
        "hold when you use it?",
    ),
    (
        "LDJ113",
        "What is the derivative of an entry that passes through unchanged, and what do "
        "you add for it?",
    ),
    (
        "LDJ114",
        "Divide what you report by what is right. What is the ratio, and where in your "
        "formula could that number come from?",
    ),
    (
        "LDJ115",
        "A map that makes everything smaller has an ldj below 0. Can yours come out so?",
    ),
    (
        "LDJ116",
        "Try inputs on both sides of every bound and every kink. On which are you wrong?",
    ),
    (
        "LDJ117",
        "A small number keeps your logarithm finite. Does the map know of it as well?",
    ),
    ("LDJ118", "A map that keeps volumes has determinant 1. What is its logarithm?"),
    (
        "LDJ119",
        "Does your map move volume? What would a layer have to be like for its ldj to "
        "be 0?",
    ),
    (
        "LDJ120",
        "Differentiate each step by hand, and compare with the line that should hold it.",
    ),
    ("LDJ121", "Try the layer at another size. Which number in it knows the old one?"),
    (
        "LDJ199",
        "Compare your ldj with that of `torch.autograd.functional.jacobian` on an input "
        "of two entries. How does the difference change with the input?",
    ),
    (
        "LDJ201",
        "Print the shape of your ldj for a batch of 3. What happens when it is added to "
        "one of shape (3,)?",
    ),
    (
        "LDJ202",
        "How many numbers does your layer report for a batch of 3, and how many samples "
        "are there?",
    ),
    ("LDJ203", "For a batch of 3, how many numbers come back?"),
    ("LDJ204", "What happens to what the layers before yours have reported?"),
    (
        "LDJ205",
        "Look at the tensor that was passed in, before and after the call. Is it the "
        "same?",
    ),
    ("LDJ206", "Call your layer twice on one tensor. Why do the answers differ?"),
    (
        "LDJ207",
        "Change one sample of a batch, and look at the outputs of the others. Do they "
        "move?",
    ),
    (
        "LDJ208",
        "Set the same seed and call twice. What in your layer is drawn anew, and is it "
        "part of the map?",
    ),
    ("LDJ209", "What does your layer remember of a call? Print it before and after."),
    (
        "LDJ210",
        "Ask for the gradient of your ldj with respect to each parameter. Which one is "
        "missing?",
    ),
    (
        "LDJ211",
        "Move the parameters and call again. Which number is still the old one?",
    ),
    ("LDJ212", "In which precision does your layer compute, and who decided that?"),
    ("LDJ213", "Which inputs make your ldj NaN or infinite? What is log(0) there?"),
    ("LDJ301", "Follow one number there and back by hand. Where does it end?"),
    (
        "LDJ302",
        "If the way there makes volumes larger, what does the way back do to them?",
    ),
    ("LDJ303", "What does your way back report, and who might use that number?"),
    ("LDJ304", "Can two inputs have one output? Then which one should come back?"),
    ("LDJ305", "How many numbers go in, and how many come out?"),
    ("LDJ306", "How near does your way back come, and when does it stop?"),
    (
        "LDJ401",
        "At these weights the layer does nothing at all. Which ldj would be wrong?",
    ),
    ("LDJ402", "How near to singular is your matrix? How many digits are left?"),
    ("LDJ403", "Which of the two directions does your number belong to?"),
    ("LDJ404", "Where does your map jump, and what does a gradient see of that?"),
    (
        "LDJ501",
        "Your split drops some numbers. Under which density, and does it integrate to 1?",
    ),
    (
        "LDJ502",
        "Add the largest noise that you can draw to a 2, and round down. Is it a 2?",
    ),
)

_ANY = "Compare your ldj with the Jacobian of your map on an input of two entries."


def hint_for(code: str) -> str:
    """Return the question that leads to a mistake."""
    return dict(HINTS).get(code, _ANY)
