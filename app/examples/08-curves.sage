# %% [markdown]
# # Curves and cryptography
# %% [markdown]
# ## Elliptic curve
# Its rank, and the group of its points of finite order.
# %%
E = EllipticCurve([0, 0, 1, -1, 0])
print(E.rank(), E.torsion_subgroup().order(), E.conductor())
E.plot(figsize=(5, 3))
# %% [markdown]
# ## Add points of a curve
# %%
E = EllipticCurve([-2, 0])
P = E(2, 2)
P, 2*P, 3*P
# %% [markdown]
# ## Curve over a finite field
# %%
E = EllipticCurve(GF(101), [1, 1])
E.cardinality(), E.abelian_group()
# %% [markdown]
# ## RSA, step by step
# %%
p, q = next_prime(10^12), next_prime(10^13)
N, e = p*q, 65537
d = inverse_mod(e, (p - 1)*(q - 1))
message = 1234567890
secret = power_mod(message, e, N)
secret, power_mod(secret, d, N) == message
# %% [markdown]
# ## Discrete logarithm
# %%
F = GF(10007)
g = F.multiplicative_generator()
h = g^1234
h.log(g)
