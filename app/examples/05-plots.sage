# %% [markdown]
# # Plots
# %% [markdown]
# ## Function
# %%
plot(sin(x)/x, (x, -20, 20))
# %% [markdown]
# ## Several functions with a legend
# %%
plot(sin(x), (x, 0, 7), legend_label='sine') + plot(cos(x), (x, 0, 7), color='red', legend_label='cosine')
# %% [markdown]
# ## Parametric curve
# %%
var('t')
parametric_plot((sin(3*t), cos(2*t)), (t, 0, 2*pi))
# %% [markdown]
# ## Polar curve
# %%
var('t')
polar_plot(1 + cos(3*t), (t, 0, 2*pi))
# %% [markdown]
# ## Implicit curve
# Where an equation holds.
# %%
var('y')
implicit_plot(y^2 == x^3 - x + 1, (x, -2, 3), (y, -4, 4))
# %% [markdown]
# ## Points and lines
# A scatter plot.
# %%
set_random_seed(1)
data = [(k, k + random()*10) for k in range(40)]
points(data, size=20) + line([(0, 5), (40, 45)], color='red')
# %% [markdown]
# ## Bar chart
# %%
bar_chart([3, 1, 4, 1, 5, 9, 2, 6])
# %% [markdown]
# ## Contours
# %%
var('y')
contour_plot(sin(x)*cos(y), (x, -4, 4), (y, -4, 4))
# %% [markdown]
# ## Vector field
# %%
var('y')
plot_vector_field((-y, x), (x, -3, 3), (y, -3, 3))
# %% [markdown]
# ## Area under a curve
# %%
plot(exp(-x^2), (x, -3, 3), fill='axis')
# %% [markdown]
# ## Surface in 3D
# Drag it to turn it.
# %%
var('y')
plot3d(sin(x)*cos(y), (x, -pi, pi), (y, -pi, pi))
# %% [markdown]
# ## Curve in 3D
# A helix.
# %%
var('t')
parametric_plot3d((cos(t), sin(t), t/5), (t, 0, 20), thickness=3)
# %% [markdown]
# ## Solids in 3D
# %%
dodecahedron(color='orange') + sphere((2.5, 0, 0), 1, opacity=0.5)
# %% [markdown]
# ## Matplotlib
# %%
import matplotlib.pyplot as plt
plt.plot([1, 4, 9, 16], marker='o')
plt.title('Squares')
# %% [markdown]
# ## Animation
# %%
animate([plot(sin(x + k), (x, 0, 2*pi), figsize=(5, 2)) for k in srange(0, 6, 0.5)])
