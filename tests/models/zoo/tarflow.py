"""Transformer autoregressive flow: affine maps of patches, given all patches before."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class CausalAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.heads = heads

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (
            u.view(B, T, self.heads, C // self.heads).transpose(1, 2) for u in (q, k, v)
        )
        att = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
        att = att.masked_fill(~mask, float("-inf")).softmax(dim=-1)
        return self.proj((att @ v).transpose(1, 2).reshape(B, T, C))


class AttentionBlock(nn.Module):
    def __init__(self, dim, heads=2, expansion=2):
        super().__init__()
        self.attention = CausalAttention(dim, heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, expansion * dim),
            nn.GELU(),
            nn.Linear(expansion * dim, dim),
        )

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.mlp(x)


class MetaBlock(nn.Module):
    def __init__(self, in_channels, channels, num_patches, flip, num_layers=1):
        super().__init__()
        self.proj_in = nn.Linear(in_channels, channels)
        self.pos_embed = nn.Parameter(0.1 * torch.randn(num_patches, channels))
        self.attn_blocks = nn.ModuleList(
            [AttentionBlock(channels) for _ in range(num_layers)]
        )
        self.proj_out = nn.Linear(channels, 2 * in_channels)
        self.flip = flip

    def permute(self, x):
        return x.flip(1) if self.flip else x

    def scale_and_shift(self, x):
        h = self.proj_in(x) + self.permute(self.pos_embed[None])
        for block in self.attn_blocks:
            h = block(h)
        h = self.proj_out(h)
        h = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], dim=1)
        return h.chunk(2, dim=-1)

    def forward(self, x):
        x = self.permute(x)
        xa, xb = self.scale_and_shift(x)
        x = (x - xb) * (-xa).exp()
        return self.permute(x), -xa.sum(dim=[1, 2])

    def reverse(self, z):
        z = self.permute(z)
        x = torch.zeros_like(z)
        for i in range(z.size(1)):
            xa, xb = self.scale_and_shift(x)
            new = z[:, i] * xa[:, i].exp() + xb[:, i]
            x = torch.cat([x[:, :i], new[:, None], x[:, i + 1 :]], dim=1)
        return self.permute(x)


class TarFlow(nn.Module):
    def __init__(self, img_size=4, patch_size=2, in_channels=1, channels=8, blocks=2):
        super().__init__()
        self.img_size = img_size
        self.patch_size = patch_size
        self.num_patches = (img_size // patch_size) ** 2
        dim = in_channels * patch_size**2
        self.blocks = nn.ModuleList(
            [
                MetaBlock(dim, channels, self.num_patches, flip=bool(i % 2))
                for i in range(blocks)
            ]
        )
        self.var = nn.Parameter(torch.full((self.num_patches, dim), 1.3))

    def patchify(self, x):
        return F.unfold(x, self.patch_size, stride=self.patch_size).transpose(1, 2)

    def unpatchify(self, x):
        size = (self.img_size, self.img_size)
        u = x.transpose(1, 2)
        return F.fold(u, size, self.patch_size, stride=self.patch_size)

    def forward(self, x):
        x = self.patchify(x)
        logdets = torch.zeros((), device=x.device)
        for block in self.blocks:
            x, logdet = block(x)
            logdets = logdets + logdet
        return x, logdets

    def reverse(self, z):
        for block in reversed(self.blocks):
            z = block.reverse(z)
        return self.unpatchify(z)

    def log_prob(self, x):
        z, logdets = self.forward(x)
        var = self.var.square()
        log_pz = -0.5 * (z.square() / var + torch.log(2 * math.pi * var))
        return log_pz.sum(dim=[1, 2]) + logdets

    def get_loss(self, x):
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(self, n):
        z = self.var.abs() * torch.randn(n, *self.var.shape)
        return self.reverse(z)
