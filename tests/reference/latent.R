# Reference values for sbwork.score.latent. Run from the folder that holds this file:
# Rscript latent.R. Packages: lavaan, psych, jsonlite. Written to latent.json: the data, and for each
# case the model, its options and what lavaan::sem finds. Data: HolzingerSwineford1939 and
# PoliticalDemocracy as they come with lavaan (Holzinger & Swineford 1939; Bollen 1989), the first
# 500 people of psych's bfi, a growth curve and two waves of trust in police that are made up here.
suppressPackageStartupMessages({library(lavaan); library(jsonlite)})
set.seed(7)

holzinger <- HolzingerSwineford1939[, c("school", "sex", "ageyr", paste0("x", 1:9))]
holes <- holzinger
for (item in paste0("x", 1:9)) holes[runif(nrow(holes)) < .12, item] <- NA
holes[runif(nrow(holes)) < .05, "ageyr"] <- NA
democracy <- PoliticalDemocracy
data("bfi", package = "psych")
bfi500 <- bfi[1:500, c("gender", "age", paste0("A", 1:5), paste0("E", 1:5))]

trust <- local({
  n <- 400
  area <- rep(0:1, each = n / 2); ward <- rep(1:40, each = n / 40)
  t1 <- rnorm(n) + .3 * rnorm(40)[ward]; t2 <- .6 * t1 + .3 * area + .8 * rnorm(n)
  own <- matrix(rnorm(n * 4, sd = .4), n)
  item <- function(t, j, shift) round(pmin(pmax(3 + shift + c(.8, .7, .9, .6)[j] * t + own[, j] +
                                                  rnorm(n, sd = .6), 1), 5))
  d <- data.frame(arm = c("control", "pilot")[area + 1], ward = ward, area = area)
  for (j in 1:4) d[[paste0("a", j)]] <- item(t1, j, c(0, .2, -.1, .3)[j])
  for (j in 1:4) d[[paste0("b", j)]] <- item(t2, j, c(0, .2, -.1, .6)[j])
  d$calls <- round(2 + .5 * t2 + rnorm(n), 2)
  gone <- runif(n) < .2
  d[gone, c(paste0("b", 1:4), "calls")] <- NA
  for (j in c(paste0("a", 1:4), paste0("b", 1:4))) d[runif(n) < .08, j] <- NA
  d[sample(n), ]
})
growth <- local({
  n <- 250; x <- rnorm(n); i <- 2 + .4 * x + rnorm(n); s <- .5 - .2 * x + .4 * rnorm(n)
  d <- data.frame(x = round(x, 3))
  for (t in 0:4) d[[paste0("t", t)]] <- round(i + s * t + rnorm(n, sd = .7), 3)
  for (t in 2:4) d[runif(n) < .05 * t, paste0("t", t)] <- NA
  d
})
data <- list(holzinger = holzinger, holes = holes, democracy = democracy, bfi = bfi500,
             trust = trust, growth = growth)

three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
waves <- "before =~ a1 + l2*a2 + l3*a3 + l4*a4
after =~ b1 + l2*b2 + l3*b3 + l4*b4
a1 ~~ b1; a2 ~~ b2; a3 ~~ b3; a4 ~~ b4
a1 ~ i1*1; b1 ~ i1*1; a2 ~ i2*1; b2 ~ i2*1; a3 ~ i3*1; b3 ~ i3*1
before ~ 0*1; after ~ 1"
demo <- "ind60 =~ x1 + x2 + x3
dem60 =~ y1 + a*y2 + b*y3 + c*y4
dem65 =~ y5 + a*y6 + b*y7 + c*y8
dem60 ~ ind60
dem65 ~ ind60 + dem60
y1 ~~ y5; y2 ~~ y4 + y6; y3 ~~ y7; y4 ~~ y8; y6 ~~ y8"
path <- "x4 ~ a*x1 + sex
x7 ~ b*x4 + c*x1 + sex
indirect := a*b; total := indirect + c; share := indirect / total"
latent_path <- "visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
textual ~ a*visual
speed ~ b*textual + c*visual
indirect := a*b
odd := sqrt(a^2 + exp(b)) - log(3) * (c - 1) / 2"

cases <- list(
  listwise = list("holzinger", three, list(missing = "listwise")),
  complete = list("holzinger", three, list()),
  configural = list("holzinger", three, list(group = "school")),
  metric_listwise = list("holzinger", three, list(group = "school", equal = "loadings",
                                                  missing = "listwise")),
  scalar = list("holzinger", three, list(group = "school", equal = c("loadings", "intercepts"))),
  partial = list("holzinger", three, list(group = "school", equal = c("loadings", "intercepts"),
                                          free = c("visual =~ x3", "x3 ~ 1", "x7 ~ 1"))),
  strict = list("holzinger", three, list(group = "school", missing = "listwise",
                                         equal = c("loadings", "intercepts", "residuals"))),
  everything_equal = list("holes", three, list(group = "school",
    equal = c("loadings", "intercepts", "residuals", "means", "latent_variances",
              "latent_covariances"))),
  holes = list("holes", three, list()),
  holes_listwise = list("holes", three, list(missing = "listwise")),
  holes_scalar = list("holes", three, list(group = "school", equal = c("loadings", "intercepts"))),
  covariates = list("holes", "f =~ x1 + x2 + x3\nf ~ sex + ageyr\nx1 ~ sex\nx9 ~ f", list()),
  covariates_listwise = list("holzinger", "f =~ x1 + x2 + x3\nf ~ sex + ageyr",
                             list(missing = "listwise")),
  covariates_groups = list("holes", "f =~ x1 + x2 + x3 + x4\nf ~ sex + ageyr",
                           list(group = "school", equal = c("loadings", "regressions"))),
  democracy = list("democracy", demo, list(missing = "listwise")),
  democracy_means = list("democracy", paste(demo, "y1 ~ i*1; y5 ~ i*1; dem65 ~ 1", sep = "\n"),
                         list()),
  path = list("holzinger", path, list(missing = "listwise")),
  path_holes = list("holes", path, list()),
  path_groups = list("holzinger",
    "x4 ~ c(a1, a2)*x1\nx7 ~ c(b1, b2)*x4 + c(d, d)*x1\nindirect1 := a1*b1
     indirect2 := a2*b2\ndifference := indirect1 - indirect2", list(group = "school")),
  latent_path = list("holzinger", latent_path, list(missing = "listwise")),
  latent_path_holes = list("holes", latent_path, list()),
  second_order = list("holzinger", paste("g =~ visual + textual + speed", three, sep = "\n"),
                      list(missing = "listwise")),
  second_order_holes = list("holes", paste(three, "g =~ visual + textual + speed\nx1 ~~ x9",
                                           sep = "\n"), list()),
  variances_fixed = list("holzinger", "f =~ NA*x1 + x2 + x3 + start(0.8)*x4; f ~~ 1*f
    g =~ NA*x5 + x6 + 0.5*x7; g ~~ 1*g; f ~~ 0.3*g; x1 ~~ 0*x2; x1 ~ 4.9*1 # a remark", list()),
  linear = list("holzinger", "f =~ x1 + a*x2 + b*x3 + c*x4; a + b == 2*c; c == 0.8",
                list(missing = "listwise")),
  bent = list("holzinger", "f =~ x1 + a*x2 + b*x3 + c*x4; b == a^2; d := a + c",
              list(missing = "listwise")),
  bent_groups = list("holes", "f =~ x1 + c(a, e)*x2 + b*x3; f ~~ c(v, w)*f; w == exp(a) * v^2",
                     list(group = "school")),
  both_ways = list("holzinger", "x1 ~ x2 + ageyr + x4; x2 ~ x1 + sex + x5; x1 ~~ x2",
                   list(missing = "listwise")),
  random_covariates = list("holes", "x1 ~ x2 + x3; x2 ~~ x3", list()),
  growth = list("growth", "i =~ 1*t0 + 1*t1 + 1*t2 + 1*t3 + 1*t4; s =~ 0*t0 + 1*t1 + 2*t2 + 3*t3 + 4*t4
    i ~ 1; s ~ 1; t0 ~ 0*1; t1 ~ 0*1; t2 ~ 0*1; t3 ~ 0*1; t4 ~ 0*1", list()),
  growth_covariate = list("growth", "i =~ 1*t0 + 1*t1 + 1*t2 + 1*t3 + 1*t4
    s =~ 0*t0 + 1*t1 + 2*t2 + 3*t3 + 4*t4\ni + s ~ 1 + x; i ~~ s
    t0 + t1 + t2 + t3 + t4 ~ 0*1; t0 ~~ v*t0; t1 ~~ v*t1; t2 ~~ v*t2; t3 ~~ v*t3; t4 ~~ v*t4",
    list()),
  bfi = list("bfi", "agree =~ A1 + A2 + A3 + A4 + A5\nextra =~ E1 + E2 + E3 + E4 + E5", list()),
  bfi_groups = list("bfi", "agree =~ A1 + A2 + A3 + A4 + A5\nextra =~ E1 + E2 + E3 + E4 + E5",
                    list(group = "gender", equal = c("loadings", "intercepts"))),
  trust = list("trust", waves, list()),
  trust_groups = list("trust", "before =~ a1 + a2 + a3 + a4\nafter =~ b1 + b2 + b3 + b4
    after ~ before\na1 ~~ b1; a2 ~~ b2; a3 ~~ b3; a4 ~~ b4",
    list(group = "arm", equal = c("loadings", "intercepts"))),
  trust_outcome = list("trust", "after =~ b1 + b2 + b3 + b4\nafter ~ p*area + a1\ncalls ~ q*after
    through := p*q", list()),
  mlr = list("holzinger", three, list(estimator = "mlr", missing = "listwise")),
  mlr_complete = list("holzinger", three, list(estimator = "mlr")),
  mlr_scalar = list("holes", three, list(estimator = "mlr", group = "school",
                                         equal = c("loadings", "intercepts"))),
  mlr_covariates = list("holzinger", "f =~ x1 + x2 + x3 + x4\nf ~ sex + ageyr",
                        list(estimator = "mlr", missing = "listwise")),
  mlr_covariates_holes = list("holes", "f =~ x1 + x2 + x3 + x4\nf ~ sex + ageyr",
                              list(estimator = "mlr")),
  mlr_demo = list("democracy", demo, list(estimator = "mlr", missing = "listwise")),
  mlr_trust = list("trust", waves, list(estimator = "mlr")),
  mlm = list("holzinger", three, list(estimator = "mlm", missing = "listwise")),
  mlm_scalar = list("holzinger", three, list(estimator = "mlm", group = "school",
    missing = "listwise", equal = c("loadings", "intercepts"))),
  mlm_path = list("holzinger", latent_path, list(estimator = "mlm", missing = "listwise")),
  mlm_covariates = list("holzinger", "f =~ x1 + x2 + x3 + x4\nf ~ sex + ageyr",
                        list(estimator = "mlm", missing = "listwise")),
  cluster = list("trust", waves, list(cluster = "ward")),
  cluster_listwise = list("trust", "before =~ a1 + a2 + a3 + a4; after =~ b1 + b2 + b3 + b4
    after ~ before", list(cluster = "ward", missing = "listwise")),
  cluster_groups = list("trust", "f =~ a1 + a2 + a3 + a4",
    list(cluster = "ward", group = "arm", equal = c("loadings", "intercepts"))),
  only_item = list("holes", "f =~ x1; g =~ x2 + x3 + x4; g ~ f; x9 ~ g + f",
                   list(missing = "listwise")),
  one_item = list("holzinger", "f =~ x1; x1 ~~ 0.2*x1; g =~ x2 + x3 + x4; g ~ f", list())
)

words <- c(residual_covariances = "residual.covariances", latent_variances = "lv.variances",
           latent_covariances = "lv.covariances")
measures <- c("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper",
              "srmr", "aic", "bic", "logl", "ntotal", "baseline.chisq", "baseline.df")
robust <- c("chisq.scaled", "pvalue.scaled", "chisq.scaling.factor", "cfi.robust", "tli.robust",
            "rmsea.robust")
with_indices <- c("listwise", "complete", "holes", "scalar", "partial", "holes_scalar",
                  "second_order", "latent_path", "covariates", "democracy", "growth")
modify <- function(fit) {
  found <- modindices(fit)
  labels <- lavInspect(fit, "group.label")
  list(lhs = found$lhs, op = found$op, rhs = found$rhs,
       group = if (length(labels)) labels[found$group] else rep("", nrow(found)),
       mi = found$mi, epc = found$epc, std = found$sepc.all)
}
run <- function(name) {
  case <- cases[[name]]
  options <- case[[3]]
  args <- list(model = case[[2]], data = data[[case[[1]]]], 
               control = list(rel.tol = 1e-13, iter.max = 10000, eval.max = 20000),
               missing = if (is.null(options$missing)) "ml" else options$missing,
               em.h1.tol = 1e-9, em.h1.iter.max = 5000)
  if (!is.null(options$group)) args$group <- options$group
  if (!is.null(options$equal)) args$group.equal <-
    unname(ifelse(options$equal %in% names(words), words[options$equal], options$equal))
  if (!is.null(options$estimator)) args$estimator <- options$estimator
  if (!is.null(options$cluster)) args$cluster <- options$cluster
  if (!is.null(options$free)) args$group.partial <- gsub(" ~ 1", "~1", options$free)
  fit <- suppressWarnings(do.call("sem", args))
  if (!lavInspect(fit, "converged")) {
    args$control <- NULL
    fit <- suppressWarnings(do.call("sem", args))
  }
  found <- parameterEstimates(fit, standardized = TRUE, remove.eq = TRUE, remove.system.eq = TRUE)
  found <- found[found$op != "==", ]
  labels <- lavInspect(fit, "group.label")
  list(data = case[[1]], model = case[[2]], options = options,
       lhs = found$lhs, op = found$op, rhs = found$rhs,
       group = if (length(labels)) c("", labels)[found$group + 1] else rep("", nrow(found)),
       est = found$est, se = found$se, std = found$std.all,
       indices = if (name %in% with_indices) modify(fit),
       fit = as.list(fitMeasures(fit, if (is.null(options$estimator) && is.null(options$cluster))
         measures else c(measures, robust))))
}
result <- lapply(names(cases), function(name) {
  tryCatch(run(name), error = function(e) stop(name, ": ", conditionMessage(e)))
})
names(result) <- names(cases)
write_json(list(data = data, cases = result,
                versions = list(R = as.character(getRversion()),
                                lavaan = as.character(packageVersion("lavaan")))),
           "latent.json", digits = 10, auto_unbox = TRUE, na = "null", dataframe = "columns")
