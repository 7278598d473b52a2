"""Layers whose mistake stands on the line where a value is made, not where it is used."""

from __future__ import annotations

from mistakes.diagnosis.written import Written

TERM_WITHOUT_COUNT = Written(
    "LDJ102",
    "a term of each channel has a name before it meets the others",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.gain = nn.Parameter(torch.linspace(-0.4, 0.7, 2))

     def forward(self, x):
         z = x * self.gain.exp()[:, None]
-        gains = self.gain.sum()
+        gains = self.gain.sum() * x.shape[2]
         y = z + 0.4 * torch.sin(z)
         bends = torch.log(1 + 0.4 * torch.cos(z)).sum((1, 2))
         return y, gains + bends
""",
    shape=(2, 5),
)
COUNT_WORKED_OUT = Written(
    "LDJ103",
    "a count is worked out on a line of its own, without the channels",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.gain = nn.Parameter(torch.tensor(0.3))

     def forward(self, x):
         b, c, h, w = x.shape
         z = x * self.gain.exp()
-        cells = h * w
+        cells = h * w * c
         y = z + 0.4 * torch.sin(z)
         ldj = torch.log(1 + 0.4 * torch.cos(z)).sum((1, 2, 3))
         return y, ldj + cells * self.gain
""",
    shape=(3, 4, 6),
)
AXES_OF_A_NAME = Written(
    "LDJ103",
    "channels stand last, and a shape that has a name is read as if they stood first",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.w = nn.Parameter(torch.eye(3) + 0.2 * torch.randn(3, 3))

     def forward(self, x):
         size = x.shape
         lad = torch.linalg.slogdet(self.w)[1]
-        ldj = lad * size[2] * size[3]
+        ldj = lad * size[1] * size[2]
         return x @ self.w, ldj.expand(len(x))
""",
    shape=(4, 6, 3),
)
LOG_OF_EACH_DIM = Written(
    "LDJ110",
    "what is divided by counts in each dim, before these are summed",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.register_buffer("width", torch.tensor([0.6, 1.7, 2.2]))

     def forward(self, x):
         z = torch.asinh(x) / self.width
-        parts = -0.5 * torch.log1p(x ** 2)
+        parts = -0.5 * torch.log1p(x ** 2) - torch.log(self.width)
         return z, parts.sum(-1)
""",
    shape=(3,),
)
LOG_IN_ONE_BRANCH = Written(
    "LDJ110",
    "both ways hand back one name, and one of them lacks a factor",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.rate = 2.5

     def forward(self, x, reverse=False):
         if reverse:
             y = torch.sinh(x) / self.rate
             each = torch.log(torch.cosh(x)) - math.log(self.rate)
         else:
             y = torch.asinh(self.rate * x)
-            each = -0.5 * torch.log1p((self.rate * x) ** 2)
+            each = -0.5 * torch.log1p((self.rate * x) ** 2) + math.log(self.rate)
         return y, each.flatten(1).sum(1)
""",
    shape=(4,),
)
HELD_NUMBER = Written(
    "LDJ110",
    "a power's own number, which nothing but the layer holds",
    """
 class Layer(nn.Module):
     def __init__(self, degree=3):
         super().__init__()
         self.degree = degree
         self.raw = nn.Parameter(torch.linspace(-0.5, 0.5, degree))

     def basis(self, u, n):
         chosen = [math.comb(n, k) * u ** k * (1 - u) ** (n - k) for k in range(n + 1)]
         return torch.stack(chosen, -1)

     def forward(self, u):
         step = torch.softmax(self.raw, -1)
         knots = torch.cat([step.new_zeros(1), step.cumsum(-1)])
         y = (self.basis(u, self.degree) * knots).sum(-1)
         slope = (self.basis(u, self.degree - 1) * step).sum(-1)
-        return y, torch.log(slope).sum(-1)
+        return y, torch.log(self.degree * slope).sum(-1)
""",
    shape=(2,),
    names="log(self.degree)",
)
ONE_ENTRY_MORE = Written(
    "LDJ110",
    "a slice starts one entry late",
    """
 class Layer(nn.Module):
     def forward(self, x):
         gaps = F.softplus(x[:, 1:])
         y = torch.cat([x[:, :1], x[:, :1] + gaps.cumsum(1)], 1)
-        return y, F.logsigmoid(x[:, 2:]).sum(1)
+        return y, F.logsigmoid(x[:, 1:]).sum(1)
""",
    shape=(4,),
)
TOTAL_OF_A_LOOP = Written(
    "LDJ104",
    "the total of a loop is taken off, before a base's own term",
    """
 class Half(nn.Module):
     def __init__(self):
         super().__init__()
         self.a = nn.Parameter(0.3 * torch.randn(3))

     def back(self, z):
         return z * self.a.exp() + 0.1, self.a.sum().expand(len(z))

 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.parts = nn.ModuleList([Half(), Half()])

     def log_prob(self, x):
         total = x.new_zeros(len(x))
         for part in self.parts:
             x, ldj = part.back(x)
-            total = total - ldj
+            total = total + ldj
         total = total + (-0.5 * x ** 2 - 0.5 * math.log(2 * math.pi)).sum(1)
         return total
""",
    shape=(3,),
)
SIGN_OF_THE_INPUT = Written(
    "LDJ116",
    "a power of an absolute value counts as on one side of zero",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.c = nn.Parameter(torch.tensor([0.4, 1.3, 0.7]))

     def forward(self, x):
         up = ((1 + x.abs()) ** self.c - 1) / self.c
         down = ((1 + x.abs()) ** (2 - self.c) - 1) / (2 - self.c)
         y = torch.where(x >= 0, up, -down)
-        return y, ((self.c - 1) * torch.log1p(x.abs())).sum(1)
+        return y, ((self.c - 1) * torch.sign(x) * torch.log1p(x.abs())).sum(1)
""",
    shape=(3,),
)
AS_THE_OTHER_WAY = Written(
    "LDJ116",
    "the way back counts one of two slopes everywhere",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.below = nn.Parameter(torch.tensor([0.3, -0.2]))
         self.above = nn.Parameter(torch.tensor([-0.4, 0.6]))

     def forward(self, x):
         s = torch.where(x < 0, self.below, self.above)
         return x * s.exp(), s.sum(-1)

     def inverse(self, y):
         s = torch.where(y < 0, self.below, self.above)
-        return y * torch.exp(-s), -self.above.sum().expand(len(y))
+        return y * torch.exp(-s), -s.sum(-1)
""",
    shape=(2,),
)
FUNCTION = Written(
    "LDJ120",
    "a hyperbolic sine stands where its derivative belongs",
    """
 class Layer(nn.Module):
     def forward(self, x):
         r, t = x[:, 0].exp(), x[:, 1]
         y = torch.stack([r * torch.cosh(t), r * torch.sinh(t)], 1)
-        return y, 2 * torch.log(r) + torch.log(torch.cosh(t)) - torch.log(torch.sinh(t).abs())
+        return y, 2 * torch.log(r) + torch.log(torch.cosh(t)) - torch.log(torch.cosh(t).abs())
""",
    shape=(2,),
)
HALF_OF_A_GRAM = Written(
    "LDJ114",
    "log|det| of a product of a matrix with itself is twice that of the matrix",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.m = nn.Parameter(torch.eye(2) + 0.3 * torch.randn(2, 2))

     def forward(self, x):
         h = x @ self.m
         z = h + 0.5 * F.softplus(h)
-        ldj = torch.logdet(self.m.T @ self.m)
+        ldj = torch.logdet(self.m.T @ self.m) / 2
         return z, torch.log1p(0.5 * torch.sigmoid(h)).sum(-1) + ldj
""",
    shape=(2,),
)
CALLER_COUNTS = Written(
    "LDJ102",
    "who calls what knows of no places counts them",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.w = nn.Parameter(torch.eye(2) + 0.3 * torch.randn(2, 2))

     def mixed(self, x):
         return torch.einsum("ij,bjt->bit", self.w, x), torch.slogdet(self.w)[1]

     def forward(self, x):
         z, lad = self.mixed(x)
         y = z + 0.4 * torch.sin(z)
         bends = torch.log(1 + 0.4 * torch.cos(z)).sum((1, 2))
-        return y, bends + lad
+        return y, bends + lad * x.shape[2]
""",
    shape=(2, 5),
)
SQUARE = Written(
    "LDJ120",
    "the derivative of tanh takes its square, on the line that makes it",
    """
 class Layer(nn.Module):
     def __init__(self):
         super().__init__()
         self.u = nn.Parameter(0.3 * torch.randn(4))
         self.w = nn.Parameter(0.3 * torch.randn(4))

     def forward(self, x):
         a = torch.tanh(x @ self.w)
         z = x + a[:, None] * self.u
-        psi = (1 - a)[:, None] * self.w
+        psi = (1 - a ** 2)[:, None] * self.w
         return z, torch.log(torch.abs(1 + psi @ self.u))
""",
    shape=(4,),
)
MADE_WRONG = (
    SQUARE, CALLER_COUNTS, TERM_WITHOUT_COUNT, COUNT_WORKED_OUT, AXES_OF_A_NAME,
    LOG_OF_EACH_DIM, LOG_IN_ONE_BRANCH, HELD_NUMBER, ONE_ENTRY_MORE, TOTAL_OF_A_LOOP,
    SIGN_OF_THE_INPUT, AS_THE_OTHER_WAY, FUNCTION, HALF_OF_A_GRAM,
)  # fmt: skip
