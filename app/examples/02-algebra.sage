# %% [markdown]
# # Algebra and equations
# %% [markdown]
# ## Expand, factor and simplify
# %%
var('a b')
show(expand((a + b)^4))
show(factor(a^4 - b^4))
show((sin(x)^2 + cos(x)^2).simplify_trig())
# %% [markdown]
# ## Solve an equation
# %%
solve(x^2 + 3*x == 10, x)
# %% [markdown]
# ## Solve a system of equations
# %%
var('y')
solve([x + y == 6, x - y == 4], x, y)
# %% [markdown]
# ## Solve an inequality
# %%
solve(x^2 - 4 < 0, x)
# %% [markdown]
# ## A root as a number
# Where there is no formula.
# %%
find_root(cos(x) == x, 0, 1)
# %% [markdown]
# ## Substitute values
# %%
f = x^2 + 1
f(x=3), f.subs(x=I)
# %% [markdown]
# ## Partial fractions
# %%
(1/(x^2 - 1)).partial_fraction(x)
# %% [markdown]
# ## Polynomials over the rationals
# %%
R.<t> = QQ[]
p = t^4 - 5*t^2 + 6
p.factor(), p.roots(RR, multiplicities=False)
# %% [markdown]
# ## Gröbner basis
# Polynomial equations in several unknowns.
# %%
R.<u, v> = PolynomialRing(QQ, order='lex')
ideal(u^2 + v^2 - 1, u - v^2).groebner_basis()
# %% [markdown]
# ## Finite field
# With nine elements.
# %%
K.<w> = GF(9)
[w^k for k in range(8)]
# %% [markdown]
# ## Permutation group
# %%
G = SymmetricGroup(4)
G.order(), G.is_abelian(), len(G.conjugacy_classes())
# %% [markdown]
# ## Number field
# %%
K.<s> = NumberField(x^2 + 5)
K.class_number(), K.discriminant()
