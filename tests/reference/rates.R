# Reference values for sbwork.stats.rates, .pairs and .pooling.
# Rscript rates.R > rates.json      (needs jsonlite and metafor)
suppressMessages({library(jsonlite); library(metafor)})

# The panel of methods.md, 6.4, and a made-up one with short, unequal windows.
panels <- list(
  methods = list(
    t0 = c(18, 35, 25, 9, 21, 24, 41, 27, 12, 20, 17, 15),
    t1 = c(14, 25, 20, 6, 18, 16, 30, 9, 15, 14, 8, 14),
    c0 = c(25, 14, 38, 22, 36, 29, 43, 21, 27, 14, 22, 21),
    c1 = c(24, 36, 17, 23, 35, 18, 45, 30, 15, 26, 31, 12)
  ),
  unequal = list(
    t0 = c(31, 22, 40, 18, 27), t1 = c(12, 19, 25),
    c0 = c(44, 39, 52, 61, 30), c1 = c(50, 47, 36)
  ),
  calm = list(
    t0 = c(20, 21, 19, 20), t1 = c(18, 17, 18, 19),
    c0 = c(30, 29, 31, 30), c1 = c(30, 31, 30, 32)
  )
)

compare <- function(p) {
  y <- c(p$t0, p$t1, p$c0, p$c1)
  treated <- rep(c(1, 1, 0, 0), lengths(p))
  after <- rep(c(0, 1, 0, 1), lengths(p))
  quasi <- glm(y ~ treated * after, family = quasipoisson, epsilon = 1e-14)
  plain <- glm(y ~ treated * after, family = poisson, epsilon = 1e-14)
  site <- glm(c(p$t0, p$t1) ~ rep(0:1, c(length(p$t0), length(p$t1))), family = quasipoisson, epsilon = 1e-14)
  term <- function(m) {
    row <- summary(m)$coefficients[nrow(summary(m)$coefficients), ]
    list(log = row[[1]], se = row[[2]], statistic = row[[3]], p = row[[4]])
  }
  quasi_term <- term(quasi)
  margin <- qt(.975, quasi$df.residual) * quasi_term$se
  list(
    cells = p, df = quasi$df.residual, phi = summary(quasi)$dispersion,
    quasi = quasi_term, interval = exp(quasi_term$log + c(-1, 1) * margin),
    poisson = term(plain),
    site = c(term(site), phi = summary(site)$dispersion, df = site$df.residual)
  )
}

pool <- function(y, v) {
  read <- function(m) list(
    log = as.numeric(m$beta), se = m$se, low = m$ci.lb, high = m$ci.ub, p = m$pval, tau2 = m$tau2,
    i2 = m$I2 / 100, q = m$QE, q_p = m$QEp
  )
  control <- list(threshold = 1e-12, maxiter = 1000)
  list(
    log_ratios = y, variances = v,
    fixed = read(rma(y, v, method = "FE")),
    dl = read(rma(y, v, method = "DL")),
    reml = read(rma(y, v, method = "REML", control = control)),
    knapp_hartung = read(rma(y, v, method = "REML", test = "knha", control = control))
  )
}

# Pairs 1 and 2 share a control site, so their errors are correlated.
y <- c(-.42, -.05, .31, -.77)
V <- diag(c(.05, .06, .04, .09)); V[1, 2] <- V[2, 1] <- .02
shared <- rma.mv(y, V, random = ~ 1 | pair, data = data.frame(pair = factor(1:4)), method = "REML",
                 control = list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-15))
shared_fixed <- rma.mv(y, V, method = "REML")

cat(toJSON(list(
  r = R.version.string, metafor = as.character(packageVersion("metafor")),
  panels = lapply(panels, compare),
  pooled = list(
    different = pool(c(-.42, -.05, .31, -.77, -.20), c(.05, .06, .04, .09, .02)),
    alike = pool(c(-.30, -.25, -.35), c(.05, .06, .04)),
    two = pool(c(-.2, -.9), c(.04, .04))
  ),
  shared = list(
    log_ratios = y, covariance = V, log = as.numeric(shared$beta), se = shared$se,
    tau2 = shared$sigma2, q = shared$QE,
    fixed_log = as.numeric(shared_fixed$beta), fixed_se = shared_fixed$se
  )
), auto_unbox = TRUE, digits = NA, pretty = TRUE))
