# Reference values for sbwork.stats.pooling.pool_with_prior.
# Rscript pooling.R > pooling.json      (needs jsonlite, brms, a C++ compiler, bayesmeta; 4 minutes)
#
# Each case is computed by R's own integrate() on the marginal posterior of tau, written with the
# inverse of V + tau^2 I; by brms (Stan, Hamiltonian Monte Carlo); and, where the pairs are
# independent, by bayesmeta, which replaces the integral by a sum whose error it bounds. The Monte
# Carlo standard errors of brms's quantiles stand in the output; the tests allow four of them.
suppressMessages({library(jsonlite); library(brms); library(bayesmeta)})
options(mc.cores = 1)
if (!nzchar(system.file("include", package = "BH"))) {
  rstan::rstan_options(boost_lib = "/usr/include") # where Debian has it
}

SCALE <- .5
DRAWS <- list("2" = 2e5, "3" = 8e4, "6" = 3e4) # a chain; tails are heavy with few pairs
P <- c(low = .025, median = .5, high = .975)

share <- function(v, pairs, amount) {
  V <- diag(v)
  for (i in pairs) for (j in pairs) if (i != j) V[i, j] <- amount
  V
}

y <- list(
  two = c(-.20, -.55), three = c(-.42, -.05, .31), six = c(-.42, -.05, .31, -.77, -.20, -.36)
)
v <- list(two = c(.03, .05), three = c(.05, .06, .04), six = c(.05, .06, .04, .09, .02, .03))
cases <- list()
for (name in names(y)) {
  cases[[name]] <- list(y = y[[name]], V = diag(v[[name]]))
  pairs <- if (name == "six") 1:3 else 1:2
  cases[[paste0(name, "_shared")]] <- list(y = y[[name]], V = share(v[[name]], pairs, .02))
}

# tau is half-normal: brms cuts the normal prior of a standard deviation off at 0. Independent pairs
# have tau as the residual standard deviation; those that share a control have effects of their own
# and residuals with the covariance V.
SPREAD <- paste0("normal(0, ", SCALE, ")")
fits <- list(
  apart = function(d, V) brm(
    y | se(se, sigma = TRUE) ~ 1, data = d, chains = 0,
    prior = c(prior_string("", class = "Intercept"), prior_string(SPREAD, class = "sigma"))
  ),
  shared = function(d, V) brm(
    y ~ 1 + (1 | pair) + fcor(V), data = d, data2 = list(V = V), chains = 0,
    prior = c(
      prior_string("", class = "Intercept"), prior_string(SPREAD, class = "sd"),
      prior(constant(1), class = "sigma")
    )
  )
)
sample_posterior <- function(y, V) {
  kind <- if (all(V == diag(diag(V)))) "apart" else "shared"
  d <- data.frame(y = y, se = sqrt(diag(V)), pair = factor(seq_along(y)))
  if (is.function(fits[[kind]])) fits[[kind]] <<- fits[[kind]](d, V)
  sampled <- update(
    fits[[kind]], newdata = d, data2 = list(V = V), recompile = FALSE, chains = 4,
    iter = 1000 + DRAWS[[as.character(length(y))]], warmup = 1000, seed = 20180601,
    control = list(adapt_delta = .95), refresh = 0
  )
  draws <- posterior::extract_variable_matrix(as_draws_array(sampled), "b_Intercept")
  list(
    quantiles = lapply(P, function(p) as.numeric(quantile(draws, p))),
    mcse = lapply(P, function(p) as.numeric(posterior::mcse_quantile(draws, p))),
    rhat = posterior::rhat(draws)
  )
}

run_bayesmeta <- function(y, V) {
  if (any(V != diag(diag(V)))) return(NULL)
  found <- bayesmeta(
    y, sqrt(diag(V)), tau.prior = function(t) dhalfnormal(t, scale = SCALE), delta = 1e-5,
    epsilon = 1e-7, interval.type = "central"
  )
  c(
    lapply(P, function(p) found$qposterior(mu.p = p)),
    list(mean = found$summary["mean", "mu"], sd = found$summary["sd", "mu"])
  )
}

integrate_posterior <- function(y, V) {
  parts <- function(tau) {
    W <- solve(V + diag(tau^2, length(y)))
    total <- sum(W)
    middle <- sum(W %*% y) / total
    r <- y - middle
    log_p <- (determinant(W)$modulus - log(total) - t(r) %*% W %*% r - (tau / SCALE)^2) / 2
    c(exp(as.numeric(log_p)), middle, total^-.5)
  }
  over_tau <- function(f) {
    value <- function(taus) sapply(taus, function(tau) { q <- parts(tau); q[1] * f(q[2], q[3]) })
    ends <- c(0, .1, .3, .6, 1, 2, 6)
    sum(mapply(function(a, b) {
      integrate(value, a, b, rel.tol = 1e-11, abs.tol = 0, subdivisions = 500)$value
    }, head(ends, -1), tail(ends, -1)))
  }
  whole <- over_tau(function(m, s) 1)
  middle <- over_tau(function(m, s) m) / whole
  quantiles <- lapply(P, function(p) uniroot(
    function(x) over_tau(function(m, s) pnorm(x, m, s)) / whole - p,
    c(-5, 5), tol = 1e-12
  )$root)
  sd <- sqrt(over_tau(function(m, s) s^2 + (m - middle)^2) / whole)
  c(quantiles, list(mean = middle, sd = sd))
}

results <- lapply(cases, function(case) {
  sink(stderr())
  drawn <- suppressWarnings(suppressMessages(sample_posterior(case$y, case$V)))
  sink()
  list(
    log_ratios = case$y, covariance = case$V, integrated = integrate_posterior(case$y, case$V),
    brms = drawn, bayesmeta = run_bayesmeta(case$y, case$V)
  )
})
cat(toJSON(list(
  r = R.version.string, brms = as.character(packageVersion("brms")),
  rstan = as.character(packageVersion("rstan")),
  bayesmeta = as.character(packageVersion("bayesmeta")), prior_scale = SCALE, cases = results
), auto_unbox = TRUE, digits = NA, pretty = TRUE), "\n")
