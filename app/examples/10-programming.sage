# %% [markdown]
# # Programming
# %% [markdown]
# ## Function of one's own
# %%
def collatz(n):
    """The numbers on the way from n down to 1."""
    way = [n]
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3*n + 1
        way.append(n)
    return way

collatz(27)[:10], len(collatz(27))
# %% [markdown]
# ## Mathematical function
# That can be derived and drawn.
# %%
f(x) = x^3 - x
show(f.plot((-2, 2), figsize=(4, 2)))
f(2), diff(f)
# %% [markdown]
# ## List with a condition
# %%
[n for n in range(100) if is_square(n) and n % 2 == 1]
# %% [markdown]
# ## Typeset a formula
# %%
show(integrate(1/(1 + x^4), x))
latex(sqrt(x)/2)
# %% [markdown]
# ## How long it takes
# %%
%time factor(2^101 - 1)
# %% [markdown]
# ## Write and read a file
# What is written is offered for download, and kept in the worksheet's folder.
# %%
with open('squares.csv', 'w') as file:
    for n in range(5):
        print(n, n^2, sep=',', file=file)
print(open('squares.csv').read())
# %% [markdown]
# ## Ask while it runs
# Answer on the page: `input` waits.
# %%
name = 'Ada'  # or: input('Your name? ')
print('Hello,', name)
# %% [markdown]
# ## Speed up a function
# Remember what was computed.
# %%
@cached_function
def stairs(n):
    return 1 if n < 2 else stairs(n - 1) + stairs(n - 2)

stairs(200)
# %% [markdown]
# ## Code in another language
# GAP, PARI, Maxima and Singular come with Sage.
# %%
%%python
print(10 / 4, 2 ** 10)
# %% [markdown]
# ## PARI
# %%
pari('factor(x^4 - 1)'), pari(97).znprimroot()
