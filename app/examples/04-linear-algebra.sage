# %% [markdown]
# # Linear algebra
# %% [markdown]
# ## Matrix
# Its determinant, inverse and rank.
# %%
A = matrix(QQ, [[2, 1], [5, 3]])
show(A.inverse())
A.det(), A.rank()
# %% [markdown]
# ## Linear equations
# Solve $Ax = b$.
# %%
A = matrix(QQ, [[1, 2], [3, 4]])
b = vector(QQ, [5, 6])
A.solve_right(b)
# %% [markdown]
# ## Echelon form and kernel
# %%
A = matrix(QQ, 3, range(9))
show(A.echelon_form())
A.right_kernel().basis()
# %% [markdown]
# ## Eigenvalues and eigenvectors
# %%
A = matrix(QQ, [[2, 1], [1, 2]])
A.eigenvalues(), A.eigenvectors_right()
# %% [markdown]
# ## Characteristic polynomial
# %%
matrix(ZZ, [[1, 1], [1, 0]]).charpoly().factor()
# %% [markdown]
# ## Jordan form
# %%
matrix(QQ, [[3, 1], [-1, 1]]).jordan_form()
# %% [markdown]
# ## Dot and cross product
# %%
u, v = vector([1, 2, 3]), vector([4, 5, 6])
u.dot_product(v), u.cross_product(v), u.norm()
# %% [markdown]
# ## Numerical matrix
# The singular values, by LAPACK.
# %%
A = matrix(RDF, [[1, 2], [3, 4], [5, 6]])
A.singular_values()
# %% [markdown]
# ## Linear programming
# The largest value under conditions.
# %%
p = MixedIntegerLinearProgram()
v = p.new_variable(real=True, nonnegative=True)
p.set_objective(3*v[0] + 2*v[1])
p.add_constraint(v[0] + v[1] <= 4)
p.add_constraint(v[0] + 3*v[1] <= 6)
p.solve(), p.get_values(v)
