"""Half of the entries say how the others move: accumulators over images, with a mask."""

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class MaskedCoupling(nn.Module):
    """Scale and shift the entries that the mask leaves out."""

    def __init__(self, channels=1):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(4, 2 * channels, 3, padding=1),
        )

    def scale_and_shift(self, z):
        rows, columns = torch.arange(z.shape[2]), torch.arange(z.shape[3])
        mask = ((rows[:, None] + columns) % 2).to(z)
        s, t = self.net(z * mask).chunk(2, dim=1)
        return torch.tanh(s) * (1 - mask), t * (1 - mask)

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = ldj + s.sum(dim=[1, 2, 3])
        return z, ldj


class CouplingMean(MaskedCoupling):
    """The log-scales are averaged."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = ldj + s.mean(dim=[1, 2, 3])
        return z, ldj


class CouplingMinus(MaskedCoupling):
    """Both directions have the wrong sign, so the round trip looks right."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj + s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = ldj - s.sum(dim=[1, 2, 3])
        return z, ldj


class CouplingOverTheBatch(MaskedCoupling):
    """The sum runs over the batch too: every sample gets the total of all."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = ldj + s.sum()
        return z, ldj


class CouplingForgotten(MaskedCoupling):
    """The forward ldj is forgotten."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
        return z, ldj


class CouplingOverwrites(MaskedCoupling):
    """The incoming ldj is lost."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = s.sum(dim=[1, 2, 3])
        return z, ldj


class CouplingInPlace(MaskedCoupling):
    """The incoming ldj is changed in place: the caller's tensor moves too."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj -= s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj += s.sum(dim=[1, 2, 3])
        return z, ldj


class CouplingReverseUntracked(MaskedCoupling):
    """The way back leaves the ldj as it came."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            return (z - t) * torch.exp(-s), ldj
        return z * torch.exp(s) + t, ldj + s.sum(dim=[1, 2, 3])


class CouplingReverseAdds(MaskedCoupling):
    """The way back adds the ldj of the way there."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        ldj = ldj + s.sum(dim=[1, 2, 3])
        if reverse:
            return (z - t) * torch.exp(-s), ldj
        return z * torch.exp(s) + t, ldj


class CouplingReverseKeepsShift(MaskedCoupling):
    """The way back undoes the scale before the shift."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = z * torch.exp(-s) - t
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = ldj + s.sum(dim=[1, 2, 3])
        return z, ldj


class CouplingDetached(MaskedCoupling):
    """The value is right, but no gradient reaches the network through the ldj."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            z = (z - t) * torch.exp(-s)
            ldj = ldj - s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(s) + t
            ldj = ldj + s.detach().sum(dim=[1, 2, 3])
        return z, ldj


class CouplingNoGrad(MaskedCoupling):
    """The ldj is summed where gradients are switched off."""

    def forward(self, z, ldj, reverse=False):
        s, t = self.scale_and_shift(z)
        if reverse:
            return (z - t) * torch.exp(-s), ldj - s.sum(dim=[1, 2, 3])
        with torch.no_grad():
            ldj = ldj + s.sum(dim=[1, 2, 3])
        return z * torch.exp(s) + t, ldj


class UnmaskedScale(nn.Module):
    """Mask the scale when it is used, and when it is counted."""

    def __init__(self, dims=5):
        super().__init__()
        self.register_buffer("mask", (torch.arange(dims) % 2 == 0).float())
        self.net = nn.Sequential(nn.Linear(dims, 8), nn.Tanh(), nn.Linear(8, 2 * dims))

    def forward(self, z, ldj, reverse=False):
        s, t = self.net(z * self.mask).chunk(2, dim=1)
        idle, moving = self.mask, 1 - self.mask
        if reverse:
            z = idle * z + moving * (z - t) * torch.exp(-s)
            ldj = ldj - (moving * s).sum(dim=1)
        else:
            z = idle * z + moving * (z * torch.exp(s) + t)
            ldj = ldj + (moving * s).sum(dim=1)
        return z, ldj


class IdleEntriesCounted(UnmaskedScale):
    """Log-scales of entries that do not move are summed too."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        s, t = self.net(z * self.mask).chunk(2, dim=1)
        idle, moving = self.mask, 1 - self.mask
        z = idle * z + moving * (z * torch.exp(s) + t)
        ldj = ldj + s.sum(dim=1)
        return z, ldj


class IdleEntriesOnly(UnmaskedScale):
    """The mask is the wrong way round in the ldj."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        s, t = self.net(z * self.mask).chunk(2, dim=1)
        idle, moving = self.mask, 1 - self.mask
        z = idle * z + moving * (z * torch.exp(s) + t)
        ldj = ldj + (idle * s).sum(dim=1)
        return z, ldj


class AdditiveCoupling(nn.Module):
    """Shift half of the entries: volume stays, and 0 is right."""

    def __init__(self, dims=5):
        super().__init__()
        self.register_buffer("mask", (torch.arange(dims) % 2 == 0).float())
        self.net = nn.Linear(dims, dims)

    def forward(self, z, ldj, reverse=False):
        t = self.net(z * self.mask) * (1 - self.mask)
        return (z - t if reverse else z + t), ldj


class AdditiveCouplingCounts(AdditiveCoupling):
    """The shift is counted, as if it were a log-scale."""

    def forward(self, z, ldj, reverse=False):
        t = self.net(z * self.mask) * (1 - self.mask)
        if reverse:
            return z - t, ldj
        return z + t, ldj + t.sum(dim=1)


class ZeroInitialised(MaskedCoupling):
    """The last convolution starts at zero: as built, this is the identity."""

    def __init__(self):
        super().__init__()
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)


ANIMALS = family(
    "masked coupling",
    (1, 3, 5),
    right(MaskedCoupling, "LDJ204"),
    wrong("LDJ105", CouplingMean),
    wrong("LDJ104", CouplingMinus),
    wrong("LDJ106", CouplingOverTheBatch),
    wrong("LDJ119", CouplingForgotten),
    wrong("LDJ204", CouplingOverwrites),
    wrong("LDJ205", CouplingInPlace, None),
    wrong("LDJ303", CouplingReverseUntracked, "inverse"),
    wrong("LDJ302", CouplingReverseAdds, "inverse"),
    wrong("LDJ301", CouplingReverseKeepsShift, None),
    wrong("LDJ210", CouplingDetached),
    wrong("LDJ210", CouplingNoGrad),
    right(UnmaskedScale, "LDJ113", shape=(5,)),
    wrong("LDJ113", IdleEntriesCounted, shape=(5,)),
    wrong("LDJ120", IdleEntriesOnly, shape=(5,)),
    right(AdditiveCoupling, "LDJ119", shape=(5,)),
    wrong("LDJ111", AdditiveCouplingCounts, shape=(5,)),
    right(ZeroInitialised, "LDJ401"),
    wrong(
        "LDJ401",
        ZeroInitialised,
        None,
        twin=MaskedCoupling,
        options={"params": "as-is"},
    ),
)
