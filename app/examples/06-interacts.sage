# %% [markdown]
# # Controls to move
# %% [markdown]
# ## Slider
# A function is called again with each new value.
# %%
@interact
def show_power(n=(1, 8)):
    show(plot(x^n, (x, -1, 1), figsize=(5, 3)))
# %% [markdown]
# ## Choice and check box
# %%
@interact
def draw(f=[sin(x), cos(x), exp(x)], color=['blue', 'red', 'green'], filled=False):
    show(plot(f, (x, -3, 3), color=color, fill=filled, figsize=(5, 3)))
# %% [markdown]
# ## Box to type in
# With a button that applies it.
# %%
@interact
def derive(f=input_box(x^2*sin(x), label='$f(x) =$'), auto_update=False):
    show(diff(f, x))
# %% [markdown]
# ## Taylor polynomials
# %%
@interact
def approximate(order=slider(1, 15, 1, default=5)):
    near = taylor(sin(x), x, 0, order)
    show(plot(sin(x), (x, -6, 6)) + plot(near, (x, -6, 6), ymin=-2, ymax=2, color='red'), figsize=(6, 3))
